using System.Buffers.Binary;
using FASTER.core;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>Which addresses of a log are committed: the one place that says so. Two slots in one small file, written in turn.</summary>
/// <remarks><code>
/// file "commit", 8192 bytes
///   slot A at 0, slot B at 4096, each:
///     0 magic "PLOG"   4 format = 1   8 number   16 begin   24 until   32 page bytes   36 segment bytes   40 CRC32C of 0..39
/// </code>
/// The valid slot with the higher number counts; a torn write hurts only the slot that was being written, and the other still holds the commit before.
/// FASTER calls <see cref="Commit"/> once the pages up to <c>until</c> are written; first the pages are made durable, then the slot.
/// FASTER cannot take an exception from here, so a failure is kept in the device's <see cref="DirectDevice.Failure"/> and <see cref="Until"/> stays where it was.
/// </remarks>
internal sealed class CommitRecord : ILogCommitManager
{
    private const uint Magic = 0x474F4C50;
    private const int Format = 1;
    private const int SlotBytes = 4096;
    private const int RecordBytes = 44;

    private readonly DirectFile _file;
    private readonly DirectDevice _device;
    private readonly AlignedMemory _slot = new(SlotBytes);
    private State _state;
    private long _until;

    private CommitRecord(DirectFile file, DirectDevice device, State state)
    {
        _file = file;
        _device = device;
        _state = state;
        _until = state.Until;
        _slot.Slice(0, SlotBytes).Span.Clear();
    }

    /// <summary>Durable up to here.</summary>
    public long Until => Volatile.Read(ref _until);

    /// <summary>The last commit that succeeded.</summary>
    public State Committed => _state;

    /// <summary>What a slot holds.</summary>
    public sealed record State(long Number, long Begin, long Until, int PageBytes, int SegmentBytes)
    {
        /// <summary>True if the other slot was written once and cannot be read: it may have been the newer one.</summary>
        public bool MayBeOld { get; init; }
    }

    /// <summary>Reads the record of a folder; null if the folder holds no log yet.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.Corrupt"/> or <see cref="StorageError.Version"/>.</exception>
    public static State? Read(string folder)
    {
        var path = Path.Combine(folder, "commit");
        var bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        State? newest = null;
        var damaged = false;
        for (var offset = 0; offset + RecordBytes <= bytes.Length; offset += SlotBytes)
        {
            var slot = bytes.AsSpan(offset, RecordBytes);
            var state = Parse(slot, path);
            damaged |= state is null && slot.ContainsAnyExcept((byte)0);
            if (state is not null && (newest is null || state.Number > newest.Number))
            {
                newest = state;
            }
        }

        if (newest is null && Directory.EnumerateFiles(folder, "log.*").Any())
        {
            throw new StorageException(StorageError.Corrupt, $"'{path}' has no valid commit record (offsets 0 and {SlotBytes}), yet there are log segments beside it. Restore the folder, or move it away to start empty.");
        }

        return newest is null ? null : newest with { MayBeOld = damaged };
    }

    /// <summary>Opens the record for writing, and makes <paramref name="state"/> durable at once if asked to.</summary>
    public static CommitRecord Open(string folder, DirectDevice device, State state, bool write)
    {
        var file = device.Open(Path.Combine(folder, "commit"), FileMode.OpenOrCreate, FaultArea.Commit);
        var record = new CommitRecord(file, device, state);
        if (write)
        {
            RandomAccess.SetLength(file.Handle, 2 * SlotBytes);
            record.Write(state);
            Posix.SyncFolder(folder);
        }

        return record;
    }

    public void Commit(long beginAddress, long untilAddress, byte[] commitMetadata, long commitNum, bool forceWriteMetadata)
    {
        if (_device.Failure is not null)
        {
            return;
        }

        try
        {
            _device.Sync();
            Write(_state with { Number = _state.Number + 1, Begin = beginAddress, Until = untilAddress });
            Volatile.Write(ref _until, untilAddress);
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException)
        {
            _device.Fail(cause);
        }
    }

    public byte[]? GetCommitMetadata(long commitNum) =>
        new FasterLogRecoveryInfo { BeginAddress = _state.Begin, UntilAddress = _state.Until, CommitNum = _state.Number }.ToByteArray();

    public IEnumerable<long> ListCommits() => _state.Until > 0 ? [_state.Number] : [];

    public void RemoveCommit(long commitNum)
    {
        // One record, overwritten: there is nothing older to remove.
    }

    public void RemoveAllCommits()
    {
        // As above.
    }

    public void OnRecovery(long commitNum)
    {
        // Nothing to tidy: see above.
    }

    public void Dispose()
    {
        _file.Dispose();
        _slot.Dispose();
    }

    private static State? Parse(ReadOnlySpan<byte> slot, string path)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(slot) != Magic || BinaryPrimitives.ReadUInt32LittleEndian(slot[40..]) != Checksum.Crc32C(slot[..40]))
        {
            return null;
        }

        var format = BinaryPrimitives.ReadInt32LittleEndian(slot[4..]);
        if (format != Format)
        {
            throw new StorageException(StorageError.Version, $"'{path}' has format {format}; this program reads format {Format}. Use the program that wrote it, or move the folder away.");
        }

        return new State(
            BinaryPrimitives.ReadInt64LittleEndian(slot[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
            BinaryPrimitives.ReadInt32LittleEndian(slot[32..]),
            BinaryPrimitives.ReadInt32LittleEndian(slot[36..]));
    }

    private void Write(State state)
    {
        var slot = _slot.Slice(0, SlotBytes).Span;
        BinaryPrimitives.WriteUInt32LittleEndian(slot, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(slot[4..], Format);
        BinaryPrimitives.WriteInt64LittleEndian(slot[8..], state.Number);
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], state.Begin);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], state.Until);
        BinaryPrimitives.WriteInt32LittleEndian(slot[32..], state.PageBytes);
        BinaryPrimitives.WriteInt32LittleEndian(slot[36..], state.SegmentBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[40..], Checksum.Crc32C(slot[..40]));
        _device.Fault(_file.Area.Write);
        RandomAccess.Write(_file.Handle, slot, (state.Number & 1) * SlotBytes);
        _file.Sync();
        _state = state;
    }
}
