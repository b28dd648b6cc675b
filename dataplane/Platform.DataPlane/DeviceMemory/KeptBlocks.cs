namespace Platform.DataPlane.DeviceMemory;

/// <summary>Memory from a driver that was given back and is handed out again: page-locking, or mapping on a device, takes a driver longer than the copies that follow save.</summary>
/// <param name="limitBytes">Most that is held on to.</param>
/// <param name="free">Gives a block back to the driver.</param>
/// <remarks>Thread-safe. After the end, what comes back goes to the driver at once.</remarks>
internal sealed class KeptBlocks(long limitBytes, Action<ulong> free) : IDisposable
{
    private readonly Lock _gate = new();

    /// <summary>Given back longest ago first.</summary>
    private readonly List<(ulong Address, long LengthBytes)> _blocks = [];
    private long _bytes;
    private bool _disposed;

    /// <summary>Bytes that are held on to.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate)
            {
                return _bytes;
            }
        }
    }

    /// <summary>A block of exactly that length, with what it held; false if there is none.</summary>
    public bool TryTake(long lengthBytes, out ulong address)
    {
        lock (_gate)
        {
            var at = _blocks.FindLastIndex(block => block.LengthBytes == lengthBytes);
            address = at < 0 ? 0 : Remove(at);
            return at >= 0;
        }
    }

    /// <summary>Keeps a block; those that came longest ago leave for it.</summary>
    public void Return(ulong address, long lengthBytes)
    {
        List<ulong> leaving = [];
        lock (_gate)
        {
            _blocks.Add((address, lengthBytes));
            _bytes += lengthBytes;
            while (_bytes > (_disposed ? 0 : limitBytes))
            {
                leaving.Add(Remove(0));
            }
        }

        leaving.ForEach(free);
    }

    /// <summary>Gives everything back to the driver.</summary>
    /// <returns>False if there was nothing.</returns>
    public bool Clear()
    {
        List<ulong> leaving = [];
        lock (_gate)
        {
            while (_blocks.Count > 0)
            {
                leaving.Add(Remove(0));
            }
        }

        leaving.ForEach(free);
        return leaving.Count > 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        Clear();
    }

    /// <summary>Called under the gate.</summary>
    private ulong Remove(int at)
    {
        var (address, length) = _blocks[at];
        _blocks.RemoveAt(at);
        _bytes -= length;
        return address;
    }
}
