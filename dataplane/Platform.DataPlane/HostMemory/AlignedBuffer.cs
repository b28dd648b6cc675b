namespace Platform.DataPlane.HostMemory;

/// <summary>A buffer on loan from an <see cref="AlignedBufferPool"/>.</summary>
public sealed class AlignedBuffer : IDisposable
{
    private readonly AlignedBufferPool _pool;
    private AlignedMemory? _memory;

    internal AlignedBuffer(AlignedBufferPool pool, AlignedMemory memory)
    {
        _pool = pool;
        _memory = memory;
        Memory = memory.Slice(0, (int)memory.LengthBytes);
    }

    /// <summary>The whole buffer; starts at a multiple of 4096.</summary>
    public Memory<byte> Memory { get; }

    /// <summary>Gives it back.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _memory, null) is { } memory)
        {
            _pool.Return(memory);
        }
    }
}
