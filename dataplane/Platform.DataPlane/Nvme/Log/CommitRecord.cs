using System.Buffers.Binary;
using FASTER.core;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>Which addresses of a log are committed at least: two slots in one small file, written in turn.</summary>
/// <remarks><code>
/// file "commit", 8192 bytes
///   slot A at 0, slot B at 4096, each:
///     0 magic "PLOG"   4 format = 2   8 number   16 begin   24 until   32 page bytes   36 segment bytes   40 life   44 CRC32C of 0..43
/// </code>
/// <para>The valid slot with the higher number counts; a torn write hurts only the slot that was being written, and the other still holds the one before.
/// FASTER calls <see cref="Commit"/> once the pages up to <c>until</c> are written; the pages are made durable, and that is the commit: one flush of the disk. The slot is written as well when the
/// begin moves, when the log enters another segment, and when it is closed; what lies behind <c>until</c> is found by <see cref="LogRollForward"/>.</para>
/// <para>FASTER cannot take an exception from here, so a failure is kept in the device's <see cref="DirectDevice.Failure"/> and <see cref="Committed"/> stays what it was.</para>
/// </remarks>
internal sealed class CommitRecord : ILogCommitManager
{
    private const uint Magic = 0x474F4C50;
    private const int Format = 2;
    private const int SlotBytes = 4096;
    private const int RecordBytes = 48;

    private readonly DirectFile _file;
    private readonly DirectDevice _device;
    private readonly Action<long> _onCommitted;
    private readonly AlignedMemory _slot = new(SlotBytes);
    private State _written;
    private volatile State _committed;

    private CommitRecord(DirectFile file, DirectDevice device, State state, Action<long> onCommitted)
    {
        _file = file;
        _device = device;
        _onCommitted = onCommitted;
        _written = state;
        _committed = state;
        _slot.Slice(0, SlotBytes).Span.Clear();
    }

    /// <summary>Durable up to here.</summary>
    public long Until => _committed.Until;

    /// <summary>The last commit that succeeded. Its number is that of the slot written last.</summary>
    public State Committed => _committed;

    /// <summary>What a slot holds. A life is one opening of the log; each has a higher number than the one before.</summary>
    public sealed record State(long Number, long Begin, long Until, int PageBytes, int SegmentBytes, int Life);

    /// <summary>Reads the record of a folder; null if the folder holds no log yet.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.Corrupt"/> or <see cref="StorageError.Version"/>.</exception>
    public static State? Read(string folder)
    {
        var path = Path.Combine(folder, "commit");
        var bytes = File.Exists(path) ? File.ReadAllBytes(path) : [];
        State? newest = null;
        for (var offset = 0; offset + RecordBytes <= bytes.Length; offset += SlotBytes)
        {
            var slot = bytes.AsSpan(offset, RecordBytes);
            var state = Parse(slot, path);
            if (state is not null && (newest is null || state.Number > newest.Number))
            {
                newest = state;
            }
        }

        if (newest is null && Directory.EnumerateFiles(folder, "log.*").Any())
        {
            throw new StorageException(StorageError.Corrupt, $"'{path}' has no valid commit record (offsets 0 and {SlotBytes}), yet there are log segments beside it. Restore the folder, or move it away to start empty.");
        }

        return newest;
    }

    /// <summary>Opens the record for writing, and begins a life with <paramref name="state"/>, which is durable on return.</summary>
    public static CommitRecord Open(string folder, DirectDevice device, State state, Action<long> onCommitted)
    {
        var path = Path.Combine(folder, "commit");
        var isNew = !File.Exists(path);
        var record = new CommitRecord(device.Open(path, FileMode.OpenOrCreate, FaultArea.Commit), device, state, onCommitted);
        try
        {
            if (isNew)
            {
                RandomAccess.SetLength(record._file.Handle, 2 * SlotBytes);
            }

            record.Write(state);
            if (isNew)
            {
                Posix.SyncFolder(folder);
            }

            return record;
        }
        catch
        {
            record._file.Dispose();
            record._slot.Dispose();
            throw;
        }
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
            var state = _written with { Begin = beginAddress, Until = untilAddress };
            if (beginAddress != _written.Begin || untilAddress / state.SegmentBytes != _written.Until / state.SegmentBytes)
            {
                Write(state with { Number = state.Number + 1 });
            }

            _committed = state with { Number = _written.Number };
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException)
        {
            _device.Fail(cause);
            return;
        }

        _onCommitted(untilAddress);
    }

    public byte[]? GetCommitMetadata(long commitNum) =>
        new FasterLogRecoveryInfo { BeginAddress = _committed.Begin, UntilAddress = _committed.Until, CommitNum = _committed.Number }.ToByteArray();

    public IEnumerable<long> ListCommits() => _committed.Until > 0 ? [_committed.Number] : [];

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

    /// <summary>Closes the file, with the last commit in it, so that the next life need not look for the end.</summary>
    public void Dispose()
    {
        try
        {
            if (_device.Failure is null && _committed.Until != _written.Until)
            {
                Write(_committed with { Number = _written.Number + 1 });
            }
        }
        catch (IOException)
        {
            // The end is found as after a crash.
        }

        _file.Dispose();
        _slot.Dispose();
    }

    private static State? Parse(ReadOnlySpan<byte> slot, string path)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(slot) != Magic || BinaryPrimitives.ReadUInt32LittleEndian(slot[44..]) != Checksum.Crc32C(slot[..44]))
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
            BinaryPrimitives.ReadInt32LittleEndian(slot[36..]),
            BinaryPrimitives.ReadInt32LittleEndian(slot[40..]));
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
        BinaryPrimitives.WriteInt32LittleEndian(slot[40..], state.Life);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[44..], Checksum.Crc32C(slot[..44]));
        _device.Fault(_file.Area.Write);
        RandomAccess.Write(_file.Handle, slot, (state.Number & 1) * SlotBytes);
        _device.Figures.Written(SlotBytes);
        _file.Sync();
        _written = state;
    }
}
