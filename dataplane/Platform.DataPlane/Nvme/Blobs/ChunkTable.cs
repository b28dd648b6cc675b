namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>Which chunks of a blob are on the device, and their checksums.</summary>
/// <remarks>Changes happen under <see cref="Gate"/>, which the blob's other parts share.</remarks>
internal sealed class ChunkTable
{
    private readonly ChunkState[] _states;
    private int _landed;

    public ChunkTable(BlobRecord record)
    {
        Crcs = record.Crcs ?? new uint[record.Layout.ChunkCount];
        _states = new ChunkState[record.Layout.ChunkCount];
        if (record.Crcs is not null)
        {
            Array.Fill(_states, ChunkState.Landed);
            _landed = _states.Length;
        }
    }

    private enum ChunkState : byte
    {
        Absent,
        Landed,
        Verified,
    }

    /// <summary>Of chunk states and of what is on its way.</summary>
    public Lock Gate { get; } = new();

    /// <summary>CRC32C of every chunk that is here.</summary>
    public uint[] Crcs { get; }

    public int Count => _states.Length;

    /// <summary>Chunks that are not here.</summary>
    public int MissingCount => _states.Length - Volatile.Read(ref _landed);

    /// <summary>Chunks on their way from object storage. Under the gate.</summary>
    public int OnTheirWay { get; set; }

    /// <summary>True if every chunk is here. Under the gate.</summary>
    public bool IsWhole => _landed == _states.Length;

    public bool IsAbsent(int index) => _states[index] == ChunkState.Absent;

    /// <summary>True if the chunk was compared with its checksum since the tier was opened.</summary>
    public bool IsVerified(int index) => _states[index] == ChunkState.Verified;

    /// <summary>Notes that a chunk is on the device. Under the gate.</summary>
    public void Land(int index, uint crc)
    {
        Crcs[index] = crc;
        _states[index] = ChunkState.Landed;
        _landed++;
    }

    /// <summary>Notes that a chunk on the device has the checksum that it should have. One that another reader found damaged meanwhile stays dropped.</summary>
    public void Verify(int index)
    {
        if (_states[index] != ChunkState.Landed)
        {
            return;
        }

        lock (Gate)
        {
            if (_states[index] == ChunkState.Landed)
            {
                _states[index] = ChunkState.Verified;
            }
        }
    }

    /// <summary>Forgets a damaged chunk.</summary>
    public void Drop(int index)
    {
        lock (Gate)
        {
            if (_states[index] != ChunkState.Absent)
            {
                _states[index] = ChunkState.Absent;
                _landed--;
            }
        }
    }
}
