namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>Group commit of one life of a block store: those who wait at the same time share a checkpoint.</summary>
internal sealed class BlockCommits(BlockLog log)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _next;
    private Task _committer = Task.CompletedTask;
    private bool _isCommitting;

    /// <summary>The checkpoint that covers what is in the log by now; sees to it that there is one.</summary>
    public Task WhenDurable()
    {
        lock (_gate)
        {
            _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!_isCommitting)
            {
                _isCommitting = true;
                _committer = Task.Run(CommitAsync);
            }

            return _next.Task;
        }
    }

    /// <summary>Waits for those under way.</summary>
    public Task EndAsync() => _committer;

    private async Task CommitAsync()
    {
        while (true)
        {
            TaskCompletionSource batch;
            lock (_gate)
            {
                if (_next is null)
                {
                    _isCommitting = false;
                    return;
                }

                batch = _next;
                _next = null;
            }

            try
            {
                log.ShiftBegin();
                await log.CheckpointAsync();
                batch.SetResult();
            }
            catch (Exception cause)
            {
                log.Device.Fail(cause);
                batch.SetException(new IOException(cause.Message, cause) { HResult = cause.HResult });
                _ = batch.Task.Exception;
            }
        }
    }
}
