namespace Platform.DataPlane.HostMemory;

/// <summary>Keeps aligned memory of one size for the next who needs it: fresh memory costs a page fault per page, and the system zeroes it.</summary>
/// <remarks>Not a bound: who finds none allocates. Thread-safe.</remarks>
internal sealed class AlignedMemoryCache(int bufferBytes, int mostKept) : IDisposable
{
    private readonly Stack<AlignedMemory> _kept = new();
    private bool _disposed;

    /// <summary>Size of what it keeps.</summary>
    public int BufferBytes { get; } = (int)AlignedMemory.RoundUp(bufferBytes);

    /// <summary>Takes memory, new if none is kept.</summary>
    public AlignedMemory Take()
    {
        lock (_kept)
        {
            if (_kept.TryPop(out var memory))
            {
                return memory;
            }
        }

        return new AlignedMemory(BufferBytes);
    }

    /// <summary>Gives memory back; it is freed if enough is kept.</summary>
    public void Return(AlignedMemory memory)
    {
        lock (_kept)
        {
            if (!_disposed && _kept.Count < mostKept)
            {
                _kept.Push(memory);
                return;
            }
        }

        memory.Dispose();
    }

    public void Dispose()
    {
        lock (_kept)
        {
            _disposed = true;
            while (_kept.TryPop(out var memory))
            {
                memory.Dispose();
            }
        }
    }
}
