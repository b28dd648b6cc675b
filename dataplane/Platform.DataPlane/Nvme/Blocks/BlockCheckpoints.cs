using System.Buffers.Binary;
using FASTER.core;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>Which checkpoint of the block store counts: the one place that says so. Two slots in one small file, written in turn, as <see cref="Log.CommitRecord"/> does it for logs.</summary>
/// <remarks><code>
/// file "commit", 2 slots of 64 KiB, each:
///   0 magic "PBLK"   4 format = 1   8 number   16 begin   24 end   32 segment bytes   40 token (16)   56 length   60 CRC32C of the rest   64 FASTER's metadata
/// </code>
/// FASTER calls <see cref="CommitLogCheckpoint"/> once the log is written; first the log is made durable, then the slot. It cannot take an exception from here, so a failure
/// is kept in the device, and the slot stays as it was. There are no index checkpoints: the index is rebuilt from the log, which is bounded.
/// </remarks>
internal sealed class BlockCheckpoints : ICheckpointManager
{
    private const uint Magic = 0x4B4C4250;
    private const int Format = 1;
    private const int SlotBytes = 64 * 1024;
    private const int HeaderBytes = 64;

    private readonly DirectDevice _device;
    private readonly DirectFile _file;
    private readonly AlignedMemory _slot = new(SlotBytes);
    private State? _state;
    private bool _isDurable;

    public BlockCheckpoints(string folder, DirectDevice device, State? state)
    {
        _device = device;
        _state = state;
        _file = device.Open(Path.Combine(folder, "commit"), FileMode.OpenOrCreate, FaultArea.BlockCommit);
        if (state is null)
        {
            RandomAccess.SetLength(_file.Handle, 2 * SlotBytes);
            Posix.SyncFolder(folder);
        }
    }

    /// <summary>The last checkpoint that is durable.</summary>
    public State? Committed => _state;

    /// <summary>What a slot holds.</summary>
    public sealed record State(long Number, long Begin, long End, long SegmentBytes, Guid Token, byte[] Metadata);

    /// <summary>Reads the newest valid slot of a folder; null if it holds no store.</summary>
    public static State? Read(string folder)
    {
        var path = Path.Combine(folder, "commit");
        var bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        State? newest = null;
        for (var offset = 0; offset + SlotBytes <= bytes.Length; offset += SlotBytes)
        {
            if (Parse(bytes.AsSpan(offset, SlotBytes)) is { } state && state.Number > (newest?.Number ?? 0))
            {
                newest = state;
            }
        }

        return newest;
    }

    public void CommitLogCheckpoint(Guid logToken, byte[] commitMetadata)
    {
        if (_device.Failure is not null)
        {
            return;
        }

        try
        {
            if (commitMetadata.Length > SlotBytes - HeaderBytes)
            {
                throw new IOException($"a checkpoint record of {commitMetadata.Length} bytes does not fit its slot of {SlotBytes}");
            }

            var info = default(HybridLogRecoveryInfo);
            using (var reader = new StreamReader(new MemoryStream(commitMetadata, writable: false)))
            {
                info.Initialize(reader);
            }

            if (!_isDurable)
            {
                // What was found at the opening may never have been synced, and the slot before it is about to be written over.
                _file.Sync();
                _isDurable = true;
            }

            _device.Sync();
            Write(new State((_state?.Number ?? 0) + 1, info.beginAddress, info.finalLogicalAddress, _device.SegmentSize, logToken, commitMetadata));
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException)
        {
            _device.Fail(cause);
        }
    }

    public byte[]? GetLogCheckpointMetadata(Guid logToken, DeltaLog deltaLog, bool scanDelta = false, long recoverTo = -1) => _state?.Token == logToken ? _state.Metadata : null;

    public IEnumerable<Guid> GetLogCheckpointTokens() => _state is null ? [] : [_state.Token];

    public IEnumerable<Guid> GetIndexCheckpointTokens() => [];

    public void InitializeLogCheckpoint(Guid logToken)
    {
        // The slot is written in one go, at the end.
    }

    public void CheckpointVersionShift(long oldVersion, long newVersion)
    {
        // Nothing depends on versions.
    }

    public void Purge(Guid token)
    {
        // One record, overwritten: nothing older is left.
    }

    public void PurgeAll()
    {
        // As above.
    }

    public void OnRecovery(Guid indexToken, Guid logToken)
    {
        // As above.
    }

    public void InitializeIndexCheckpoint(Guid indexToken) => throw NotUsed();

    public void CommitIndexCheckpoint(Guid indexToken, byte[] commitMetadata) => throw NotUsed();

    public void CommitLogIncrementalCheckpoint(Guid logToken, long version, byte[] commitMetadata, DeltaLog deltaLog) => throw NotUsed();

    public byte[] GetIndexCheckpointMetadata(Guid indexToken) => throw NotUsed();

    public IDevice GetIndexDevice(Guid indexToken) => throw NotUsed();

    public IDevice GetSnapshotLogDevice(Guid token) => throw NotUsed();

    public IDevice GetSnapshotObjectLogDevice(Guid token) => throw NotUsed();

    public IDevice? GetDeltaLogDevice(Guid token) => null;

    public void Dispose()
    {
        _file.Dispose();
        _slot.Dispose();
    }

    private static InvalidOperationException NotUsed() => new("The block store takes fold-over checkpoints only, and no index checkpoints.");

    private static State? Parse(ReadOnlySpan<byte> slot)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(slot[56..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(slot) != Magic || BinaryPrimitives.ReadInt32LittleEndian(slot[4..]) != Format || length < 0 || length > SlotBytes - HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(slot[60..]) != CrcOf(slot, length))
        {
            return null;
        }

        return new State(
            BinaryPrimitives.ReadInt64LittleEndian(slot[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[32..]),
            new Guid(slot.Slice(40, 16)),
            slot.Slice(HeaderBytes, length).ToArray());
    }

    private static uint CrcOf(ReadOnlySpan<byte> slot, int length) => ~Checksum.Append(Checksum.Append(~0u, slot[..60]), slot.Slice(HeaderBytes, length));

    private void Write(State state)
    {
        var slot = _slot.Slice(0, SlotBytes).Span;
        slot.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(slot, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(slot[4..], Format);
        BinaryPrimitives.WriteInt64LittleEndian(slot[8..], state.Number);
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], state.Begin);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], state.End);
        BinaryPrimitives.WriteInt64LittleEndian(slot[32..], state.SegmentBytes);
        state.Token.TryWriteBytes(slot[40..]);
        BinaryPrimitives.WriteInt32LittleEndian(slot[56..], state.Metadata.Length);
        state.Metadata.CopyTo(slot[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[60..], CrcOf(slot, state.Metadata.Length));
        _device.Fault(_file.Area.Write);
        var length = (int)AlignedMemory.RoundUp(HeaderBytes + state.Metadata.Length);
        RandomAccess.Write(_file.Handle, slot[..length], (state.Number & 1) * SlotBytes);
        _device.Figures.Written(length);
        _file.Sync();
        _state = state;
    }
}
