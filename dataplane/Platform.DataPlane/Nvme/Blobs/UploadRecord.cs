using System.Text;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>What the catalog holds of an upload that was begun and is not complete.</summary>
/// <param name="Storage">Where to, by the storage's name.</param>
/// <param name="ObjectKey">Which object it becomes.</param>
/// <param name="UploadId">The storage's id for it.</param>
/// <param name="PartBytes">Bytes of every part but the last.</param>
internal sealed record UploadRecord(string Storage, string ObjectKey, string UploadId, long PartBytes)
{
    private const byte Format = 1;

    public byte[] Write()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Format);
        writer.Write(Storage);
        writer.Write(ObjectKey);
        writer.Write(UploadId);
        writer.Write(PartBytes);
        return stream.ToArray();
    }

    /// <returns>Null if another version of the program wrote it: the upload is begun anew.</returns>
    public static UploadRecord? Read(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes, writable: false), Encoding.UTF8);
        return reader.ReadByte() == Format ? new UploadRecord(reader.ReadString(), reader.ReadString(), reader.ReadString(), reader.ReadInt64()) : null;
    }
}
