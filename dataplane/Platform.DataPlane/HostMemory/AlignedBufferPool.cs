namespace Platform.DataPlane.HostMemory;

/// <summary>Lends aligned native buffers of one size, a bounded number at once; who asks for one more waits. That bound is what keeps a pipeline's memory bounded.</summary>
/// <remarks>Thread-safe. A buffer goes back to the pool it came from by being disposed.</remarks>
public sealed class AlignedBufferPool : IDisposable
{
    private readonly Stack<AlignedMemory> _free = new();
    private readonly SemaphoreSlim _available;
    private readonly AlignedMemoryCache? _cache;
    private readonly Func<long, AlignedMemory> _allocate;
    private bool _disposed;

    /// <summary>Makes an empty pool; buffers are allocated when first needed.</summary>
    /// <param name="bufferBytes">Size of each, rounded up to 4096.</param>
    /// <param name="bufferCount">Most lent at once, at least 1.</param>
    /// <param name="allocate">Where they come from: an accelerator's pinned memory, for example. Default: ordinary memory.</param>
    public AlignedBufferPool(int bufferBytes, int bufferCount, Func<long, AlignedMemory>? allocate = null)
    {
        _allocate = allocate ?? (static length => new AlignedMemory(length));
        BufferBytes = (int)AlignedMemory.RoundUp(bufferBytes);
        _available = new SemaphoreSlim(bufferCount);
    }

    /// <summary>Makes a pool whose buffers come from a cache, and go back to it.</summary>
    internal AlignedBufferPool(AlignedMemoryCache cache, int bufferCount)
        : this(cache.BufferBytes, bufferCount) => _cache = cache;

    /// <summary>Size of each buffer.</summary>
    public int BufferBytes { get; }

    /// <summary>Waits for a buffer.</summary>
    public async ValueTask<AlignedBuffer> RentAsync(CancellationToken cancellationToken = default)
    {
        await _available.WaitAsync(cancellationToken);
        lock (_free)
        {
            if (_free.TryPop(out var memory))
            {
                return new AlignedBuffer(this, memory);
            }
        }

        try
        {
            return new AlignedBuffer(this, _cache?.Take() ?? _allocate(BufferBytes));
        }
        catch
        {
            _available.Release();
            throw;
        }
    }

    /// <summary>Frees the buffers that are here; those on loan are freed when they come back.</summary>
    public void Dispose()
    {
        lock (_free)
        {
            _disposed = true;
            while (_free.TryPop(out var memory))
            {
                Free(memory);
            }
        }
    }

    internal void Return(AlignedMemory memory)
    {
        lock (_free)
        {
            if (_disposed)
            {
                Free(memory);
            }
            else
            {
                _free.Push(memory);
            }
        }

        _available.Release();
    }

    private void Free(AlignedMemory memory)
    {
        if (_cache is null)
        {
            memory.Dispose();
        }
        else
        {
            _cache.Return(memory);
        }
    }
}
