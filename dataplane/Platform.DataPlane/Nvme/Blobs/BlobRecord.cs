using System.Runtime.InteropServices;
using System.Text;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>What the catalog holds of a blob.</summary>
/// <param name="Id">Names the file; never used twice.</param>
/// <param name="Key">The blob's key.</param>
/// <param name="ObjectKey">Where it comes from.</param>
/// <param name="ETag">Which version of that.</param>
/// <param name="LengthBytes">Its length.</param>
/// <param name="ChunkBytes">Its chunk size.</param>
/// <param name="Class">What it is for.</param>
/// <param name="Durability">Where else its bytes are.</param>
/// <param name="Crcs">CRC32C of every chunk once it is sealed; null before.</param>
internal sealed record BlobRecord(long Id, string Key, string ObjectKey, string ETag, long LengthBytes, int ChunkBytes, TierClass Class, Durability Durability, uint[]? Crcs)
{
    private const byte Format = 2;

    public BlobLayout Layout { get; } = new(LengthBytes, ChunkBytes);

    public byte[] Write()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Format);
        writer.Write(Id);
        writer.Write(Key);
        writer.Write(ObjectKey);
        writer.Write(ETag);
        writer.Write(LengthBytes);
        writer.Write(ChunkBytes);
        writer.Write((byte)Class);
        writer.Write((byte)Durability);
        writer.Write(Crcs is not null);
        if (Crcs is not null)
        {
            writer.Write(MemoryMarshal.AsBytes<uint>(Crcs));
        }

        return stream.ToArray();
    }

    public static BlobRecord Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        var format = reader.ReadByte();
        if (format is not (1 or Format))
        {
            throw new StorageException(StorageError.Version, $"A blob record has format {format}; this program reads format {Format}. Use the program that wrote the tier, or move its folder away.");
        }

        var record = new BlobRecord(reader.ReadInt64(), reader.ReadString(), reader.ReadString(), reader.ReadString(), reader.ReadInt64(), reader.ReadInt32(), default, default, null);
        if (format == Format)
        {
            record = record with { Class = (TierClass)reader.ReadByte(), Durability = (Durability)reader.ReadByte() };
        }

        if (!reader.ReadBoolean())
        {
            return record;
        }

        var crcs = new uint[record.Layout.ChunkCount];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(crcs.AsSpan()));
        return record with { Crcs = crcs };
    }
}
