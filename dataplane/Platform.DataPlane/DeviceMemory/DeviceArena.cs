namespace Platform.DataPlane.DeviceMemory;

/// <summary>Shares one device's memory out to models. What it has promised never exceeds its limit; idle models leave for new ones, the one used longest ago first.</summary>
/// <remarks>
/// Thread-safe. A model takes a <see cref="DeviceRoom"/>, which is granted once those that leave for it have really left, and holds it while it is used.
/// </remarks>
public sealed class DeviceArena
{
    private readonly Lock _gate = new();
    private readonly List<DeviceRoom> _rooms = [];
    private readonly Queue<DeviceRoom> _waiting = new();
    private long _granted;
    private long _clock;

    /// <summary>Makes an arena over a device, which it does not own.</summary>
    /// <param name="accelerator">The device.</param>
    /// <param name="limitBytes">Bytes to share out; 0 (the default) for all that the device has.</param>
    public DeviceArena(IAccelerator accelerator, long limitBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        ArgumentOutOfRangeException.ThrowIfNegative(limitBytes);
        Accelerator = accelerator;
        LimitBytes = limitBytes == 0 ? accelerator.Info.CapacityBytes : Math.Min(limitBytes, accelerator.Info.CapacityBytes);
    }

    /// <summary>The device.</summary>
    public IAccelerator Accelerator { get; }

    /// <summary>Bytes that it shares out.</summary>
    public long LimitBytes { get; }

    /// <summary>Bytes that no model has, those that are leaving not counted as having any.</summary>
    public long FreeBytes
    {
        get
        {
            lock (_gate)
            {
                return LimitBytes - PromisedBytes;
            }
        }
    }

    private long PromisedBytes => _rooms.Where(room => !room.IsLeaving).Sum(room => room.LengthBytes);

    /// <summary>Takes room for a model, held once. The room may only be used when <see cref="DeviceRoom.Granted"/> has completed.</summary>
    /// <param name="name">Whose it is.</param>
    /// <param name="lengthBytes">How much.</param>
    /// <param name="evict">Called, at most once, when the room is idle and another model needs it: end what uses it, then dispose the room. Called on the asker's thread, without the arena's lock.</param>
    /// <exception cref="DeviceMemoryException">It does not fit, alone or beside those in use; nothing was evicted then.</exception>
    public DeviceRoom Reserve(string name, long lengthBytes, Action<string> evict)
    {
        ArgumentNullException.ThrowIfNull(evict);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        List<DeviceRoom> leaving = [];
        DeviceRoom room;
        lock (_gate)
        {
            if (lengthBytes > LimitBytes)
            {
                throw new DeviceMemoryException($"'{name}' needs {lengthBytes} bytes of '{Accelerator.Info}', which has {LimitBytes} bytes for models. Use a larger device, or raise the limit.", isFinal: true);
            }

            var free = LimitBytes - PromisedBytes;
            foreach (var idle in _rooms.Where(other => other.Holders == 0 && !other.IsLeaving).OrderBy(other => other.LastUsed))
            {
                if (free >= lengthBytes)
                {
                    break;
                }

                leaving.Add(idle);
                free += idle.LengthBytes;
            }

            if (free < lengthBytes)
            {
                var inUse = _rooms.Where(other => other.Holders > 0 && !other.IsLeaving).Select(other => $"'{other.Name}' {other.LengthBytes}");
                throw new DeviceMemoryException($"'{name}' needs {lengthBytes} bytes of '{Accelerator.Info}'; of its {LimitBytes} bytes {free} are free or idle, the others are in use: {string.Join(", ", inUse)}. Try again later.", isFinal: false);
            }

            leaving.ForEach(idle => idle.IsLeaving = true);
            room = new DeviceRoom(this, name, lengthBytes, evict) { Holders = 1 };
            _rooms.Add(room);
            _waiting.Enqueue(room);
            Grant();
        }

        leaving.ForEach(idle => idle.Evict(name));
        return room;
    }

    /// <summary>Takes a hold; false if the room is on its way out.</summary>
    internal bool TryHold(DeviceRoom room)
    {
        lock (_gate)
        {
            if (room.IsLeaving)
            {
                return false;
            }

            room.Holders++;
            return true;
        }
    }

    internal void Release(DeviceRoom room)
    {
        lock (_gate)
        {
            room.Holders--;
            room.LastUsed = ++_clock;
        }
    }

    internal void Leave(DeviceRoom room)
    {
        lock (_gate)
        {
            room.IsLeaving = true;
        }
    }

    internal void Return(DeviceRoom room)
    {
        lock (_gate)
        {
            room.IsLeaving = true;
            if (_rooms.Remove(room) && room.Granted.IsCompleted)
            {
                _granted -= room.LengthBytes;
            }

            Grant();
        }
    }

    /// <summary>Lets those in who fit, in the order in which they asked. Called under the lock.</summary>
    private void Grant()
    {
        while (_waiting.TryPeek(out var next) && (!_rooms.Contains(next) || _granted + next.LengthBytes <= LimitBytes))
        {
            _waiting.Dequeue();
            if (_rooms.Contains(next))
            {
                _granted += next.LengthBytes;
                next.Grant();
            }
        }
    }
}
