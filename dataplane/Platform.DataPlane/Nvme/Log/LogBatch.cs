namespace Platform.DataPlane.Nvme.Log;

/// <summary>The appends and truncations of a <see cref="DurableLog"/> that one commit completes.</summary>
/// <remarks>Filled under the log's gate until the commit begins, and completed once: by the thread that made it durable, or by the committer.</remarks>
internal sealed class LogBatch
{
    private readonly Lock _completion = new();

    public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<(long Address, Action<long> Apply)> OnDurable { get; } = [];

    /// <summary>Where the last entry ends; 0 if there is none.</summary>
    public long Until { get; set; }

    /// <summary>True if a truncation goes with it, which is done when its files are deleted.</summary>
    public bool IsTruncation { get; set; }

    /// <summary>Applies, then tells those who wait. Does nothing the second time.</summary>
    public void Complete()
    {
        lock (_completion)
        {
            if (Done.Task.IsCompleted)
            {
                return;
            }

            try
            {
                foreach (var (address, apply) in OnDurable)
                {
                    apply(address);
                }

                Done.TrySetResult();
            }
            catch (Exception cause)
            {
                Done.TrySetException(cause);
            }
        }
    }

    public void Fail(StorageException failure)
    {
        Done.TrySetException(failure);

        // A truncation without a waiter has nobody to look at the failure; the next append meets it.
        _ = Done.Task.Exception;
    }
}
