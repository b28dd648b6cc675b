using System.Buffers.Binary;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>Reads the log of a block store from end to end before FASTER does, which trusts what it finds and would follow a damaged length anywhere.</summary>
/// <remarks><code>
/// record: 0 FASTER's RecordInfo (8): bit 55 deleted, bit 56 valid; all zero: the rest of the page is empty
///         8 key: length (4), UTF-8, up to a multiple of 8        then value: length (4), CRC32C of key and block (4), block; up to a multiple of 8
/// </code></remarks>
internal static class BlockScan
{
    // The log begins here, FASTER's first valid address.
    private const int FirstAddress = 64;
    private const int HeaderBytes = 8;
    private const int LengthBytes = 4;
    private const ulong Deleted = 1UL << 55;
    private const ulong Valid = 1UL << 56;

    /// <summary>What is wrong, with file and offset; null if nothing is.</summary>
    public static string? FindFault(string folder, BlockCheckpoints.State state)
    {
        var page = new byte[BlockStoreOptions.PageBytes];
        for (var address = Math.Max(state.Begin, FirstAddress); address < state.End;)
        {
            var start = address / page.Length * page.Length;
            var length = (int)Math.Min(page.Length, state.End - start);
            var path = SegmentFiles.PathOf(folder, start / state.SegmentBytes, BlockStore.Prefix);
            var offset = start % state.SegmentBytes;
            if (!TryRead(path, offset, page.AsSpan(0, length)))
            {
                return $"'{path}', offset {offset}: {length} bytes cannot be read";
            }

            if (FindFault(page.AsSpan(0, length), (int)(address - start)) is { } at)
            {
                return $"'{path}', offset {offset + at}: damaged record";
            }

            address = start + page.Length;
        }

        return null;
    }

    /// <summary>Checksum of a block under its key.</summary>
    public static uint CrcOf(ReadOnlySpan<byte> key, ReadOnlySpan<byte> block) => ~Checksum.Append(Checksum.Append(~0u, key), block);

    private static bool TryRead(string path, long offset, Span<byte> target)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        for (var read = 0; read < target.Length;)
        {
            var count = RandomAccess.Read(file, target[read..], offset + read);
            if (count == 0)
            {
                return false;
            }

            read += count;
        }

        return true;
    }

    private static int? FindFault(ReadOnlySpan<byte> page, int from)
    {
        var at = from;
        while (at + HeaderBytes <= page.Length && BinaryPrimitives.ReadUInt64LittleEndian(page[at..]) is var info and not 0)
        {
            if (!TryTake(page[at..], HeaderBytes, BlockStore.MaxKeyBytes, out var key, out var valueAt) || key.IsEmpty
                || !TryTake(page[at..], valueAt, BlockStore.MaxValueBytes + LengthBytes, out var value, out var next))
            {
                return at;
            }

            var counts = (info & (Valid | Deleted)) == Valid;
            if (counts && (value.Length < LengthBytes || BinaryPrimitives.ReadUInt32LittleEndian(value) != CrcOf(key, value[LengthBytes..])))
            {
                return at;
            }

            at += next;
        }

        return null;
    }

    /// <summary>Takes a counted string of bytes, padded to a multiple of 8.</summary>
    private static bool TryTake(ReadOnlySpan<byte> record, int at, int most, out ReadOnlySpan<byte> bytes, out int next)
    {
        bytes = default;
        next = 0;
        if (at + LengthBytes > record.Length)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(record[at..]);
        if (length < 0 || length > most || at + LengthBytes + length > record.Length)
        {
            return false;
        }

        bytes = record.Slice(at + LengthBytes, length);
        next = (at + LengthBytes + length + 7) & ~7;
        return true;
    }
}
