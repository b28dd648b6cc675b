using System.Text;

namespace Platform.DataPlane.Nvme.Store;

/// <summary>One log entry of a <see cref="DurableStore"/>: the writes of one commit, or copies made by a compaction.</summary>
/// <remarks><code>
/// entry:  count, then per operation: 0 delete | 1 put | 2 copy, key, and for a copy the address of the commit that wrote the value, and for put and copy the value.
///         counts and lengths are 7-bit encoded integers, addresses are 8 bytes, keys UTF-8
/// </code></remarks>
internal static class StoreEntry
{
    private const byte DeleteTag = 0;
    private const byte PutTag = 1;
    private const byte CopyTag = 2;

    /// <summary>Writes the operations of a commit.</summary>
    public static byte[] OfCommit(IReadOnlyList<DurableWrite> writes)
    {
        var (stream, writer) = Begin(writes.Count);
        foreach (var write in writes)
        {
            writer.Write(write.Value is null ? DeleteTag : PutTag);
            writer.Write(write.Key);
            if (write.Value is not null)
            {
                Put(writer, write.Value);
            }
        }

        return stream.ToArray();
    }

    /// <summary>Writes copies.</summary>
    public static byte[] OfCopies(IReadOnlyList<(string Key, long Origin, byte[] Value)> copies)
    {
        var (stream, writer) = Begin(copies.Count);
        foreach (var (key, origin, value) in copies)
        {
            writer.Write(CopyTag);
            writer.Write(key);
            writer.Write(origin);
            Put(writer, value);
        }

        return stream.ToArray();
    }

    /// <summary>Reads an entry. A delete has no value; an operation of a commit has no origin.</summary>
    public static IEnumerable<(string Key, long? Origin, byte[]? Value)> Read(byte[] entry)
    {
        using var reader = new BinaryReader(new MemoryStream(entry, writable: false), Encoding.UTF8);
        var count = reader.Read7BitEncodedInt();
        for (var i = 0; i < count; i++)
        {
            var tag = reader.ReadByte();
            var key = reader.ReadString();
            long? origin = tag == CopyTag ? reader.ReadInt64() : null;
            var value = tag == DeleteTag ? null : reader.ReadBytes(reader.Read7BitEncodedInt());
            yield return (key, origin, value);
        }
    }

    private static (MemoryStream Stream, BinaryWriter Writer) Begin(int count)
    {
        var stream = new MemoryStream();
        var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write7BitEncodedInt(count);
        return (stream, writer);
    }

    private static void Put(BinaryWriter writer, byte[] value)
    {
        writer.Write7BitEncodedInt(value.Length);
        writer.Write(value);
    }
}
