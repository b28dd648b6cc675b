namespace Platform.DataPlane.DeviceMemory;

/// <summary>A model's share of a device. Dispose it when nothing of the model is in device memory any more.</summary>
public sealed class DeviceRoom : IDisposable
{
    private readonly DeviceArena _arena;
    private readonly Action<string> _evict;
    private readonly TaskCompletionSource _granted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly List<IDeviceBuffer> _buffers = [];
    private long _taken;
    private int _disposed;

    internal DeviceRoom(DeviceArena arena, string name, long lengthBytes, Action<string> evict)
    {
        (_arena, Name, LengthBytes, _evict) = (arena, name, lengthBytes, evict);
    }

    /// <summary>Whose it is.</summary>
    public string Name { get; }

    /// <summary>How much.</summary>
    public long LengthBytes { get; }

    /// <summary>Completes when those that had to leave for this room have left; cancelled if the room is given back before.</summary>
    public Task Granted => _granted.Task;

    /// <summary>The device.</summary>
    public IAccelerator Accelerator => _arena.Accelerator;

    internal int Holders { get; set; }

    internal long LastUsed { get; set; }

    internal bool IsLeaving { get; set; }

    /// <summary>Keeps the room from being evicted; false if that is under way already. <see cref="Release"/> ends it.</summary>
    public bool TryHold() => _arena.TryHold(this);

    /// <summary>Ends a hold. A room without any may be evicted.</summary>
    public void Release() => _arena.Release(this);

    /// <summary>Says that the room will be given back as soon as its users are done: it counts as free for who asks, and they wait for that.</summary>
    public void Leave() => _arena.Leave(this);

    /// <summary>Takes device memory out of the room; freed with it.</summary>
    /// <exception cref="DeviceMemoryException">The room has not so much left, or the device has not although the room promised it.</exception>
    public IDeviceBuffer Allocate(long lengthBytes)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed != 0, this);
            if (!Granted.IsCompletedSuccessfully)
            {
                throw new InvalidOperationException($"The room of '{Name}' is not granted yet; await {nameof(Granted)} first.");
            }

            if (_taken + lengthBytes > LengthBytes)
            {
                throw new DeviceMemoryException($"'{Name}' has room for {LengthBytes} bytes on '{Accelerator.Info}', {_taken} of them taken, and asks for {lengthBytes} more.", isFinal: true);
            }

            var buffer = Accelerator.TryAllocate(lengthBytes)
                ?? throw new DeviceMemoryException($"'{Accelerator.Info}' has no {lengthBytes} bytes for '{Name}' although {_arena.LimitBytes} were to be shared out: {Accelerator.AllocatedBytes} are ours, another program has the rest. Lower the limit, or stop that program.", isFinal: false);
            _taken += lengthBytes;
            _buffers.Add(buffer);
            return buffer;
        }
    }

    /// <summary>Frees the memory and lets the next one in.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed != 0)
            {
                return;
            }

            _disposed = 1;
            _buffers.ForEach(buffer => buffer.Dispose());
            _buffers.Clear();
        }

        _arena.Return(this);
        _granted.TrySetCanceled();
    }

    internal void Grant() => _granted.TrySetResult();

    internal void Evict(string newcomer) => _evict(newcomer);
}
