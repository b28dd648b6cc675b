namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>One chunk on its way from object storage to the device, shared by everybody who wants it.</summary>
/// <remarks>The bytes can be copied from memory as soon as they have arrived, while they are still being written. The memory is let go when the last user leaves.</remarks>
internal sealed class ChunkFlight
{
    private readonly TaskCompletionSource<ReadOnlyMemory<byte>> _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _users = 1;

    /// <summary>The chunk's bytes in memory; use between <see cref="TryEnter"/> and <see cref="Leave"/> only.</summary>
    public Task<ReadOnlyMemory<byte>> Arrived => _arrived.Task;

    /// <summary>Completes when the chunk is on the device, or fails as the fetch failed.</summary>
    public Task Landed { get; set; } = Task.CompletedTask;

    /// <summary>Completes when nobody uses the memory any more.</summary>
    public Task Left => _left.Task;

    public void Arrive(ReadOnlyMemory<byte> bytes) => _arrived.TrySetResult(bytes);

    public void Fail(Exception cause)
    {
        _arrived.TrySetException(cause);
        _ = _arrived.Task.Exception;
    }

    /// <summary>Joins; false if the memory is gone already, and with it the flight.</summary>
    public bool TryEnter()
    {
        while (true)
        {
            var users = Volatile.Read(ref _users);
            if (users == 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users)
            {
                return true;
            }
        }
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            _left.TrySetResult();
        }
    }
}
