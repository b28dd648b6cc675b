using System.Runtime.InteropServices;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>How a blob lies on NVMe.</summary>
/// <remarks><code>
/// {folder}/
///   lock, owner           held by the one process that has the tier open
///   catalog/              DurableStore:
///     blob/{id}             key, object key, ETag, length, chunk size, sealed?, and when sealed the CRC32C of every chunk
///     pin/{key}             since when the key is pinned; its blob may be here or not
///     chunk/{id}/{index}    CRC32C of a chunk that is durable in a blob not sealed yet
///     upload/{id}           of an only copy: where its upload in parts goes, and the storage's id for it; without a blob/{id} it is one to be aborted
///     part/{id}/{number}    the storage's tag of a part that is there
///     salvaged              an earlier catalog was damaged, and files without a record are not yet all in lost/, see CatalogRecovery
///   blocks/               BlockStore, if there is one: commit (which checkpoint counts), blocks.0, blocks.1 ... (FASTER's log)
///   lost/, catalog.damaged/   what a damaged catalog left, for somebody to look at; catalog.new/ is there while another takes its place
///   blobs/
///     {id}.blob             the bytes of the object and nothing else, so that any program can open a sealed one
///
/// {id}.blob while filling, preallocated to a multiple of 4096:
///   |&lt;------ chunk 0 ------>|&lt;------ chunk 1 ------>|  ...  |&lt;-- last chunk -->|zeros|
///   0                        C                        2C                         length  round up to 4096
/// sealed: cut to its exact length.
///
/// order of a chunk:  bytes written -> file synced -> chunk/{id}/{index} committed (several chunks share a sync, see BlobRecorder)
/// order of a seal:   all chunks written -> cut to length -> file synced -> blob/{id} with all CRCs committed, chunk/{id}/* deleted in the same commit
/// order of an upload: upload begun -> upload/{id} committed -> each part sent -> part/{id}/{number} committed -> completed -> blob/{id} as replicated committed, upload/{id} and part/{id}/* deleted in the same commit
/// order of an end:   blob/{id}, chunk/{id}/* and part/{id}/* deleted -> file deleted; upload aborted -> upload/{id} deleted
/// A kill between two steps leaves chunks without a record (fetched again) or a file without a record (removed at the next open).
/// </code></remarks>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct BlobLayout
{
    /// <summary>Begins the keys of uploads.</summary>
    public const string UploadPrefix = "upload/";

    public BlobLayout(long lengthBytes, int chunkBytes)
    {
        LengthBytes = lengthBytes;
        ChunkBytes = (int)Math.Min(chunkBytes, Math.Max(AlignedMemory.AlignmentBytes, AlignedMemory.RoundUp(lengthBytes)));
    }

    /// <summary>Bytes of the object.</summary>
    public long LengthBytes { get; }

    /// <summary>Bytes of every chunk but the last.</summary>
    public int ChunkBytes { get; }

    public int ChunkCount => (int)((LengthBytes + ChunkBytes - 1) / ChunkBytes);

    /// <summary>Bytes that the blob takes on the device.</summary>
    public long AllocatedBytes => AlignedMemory.RoundUp(LengthBytes);

    public int IndexOf(long offset) => (int)(offset / ChunkBytes);

    public long OffsetOf(int index) => (long)index * ChunkBytes;

    /// <summary>Content bytes of a chunk.</summary>
    public int LengthOf(int index) => (int)Math.Min(ChunkBytes, LengthBytes - OffsetOf(index));

    public static string PathOf(string folder, long id) => Path.Combine(folder, "blobs", $"{id:x16}.blob");

    public static string RecordKey(long id) => $"blob/{id:x16}";

    public static string ChunkPrefix(long id) => $"chunk/{id:x16}/";

    public static string ChunkKey(long id, int index) => $"chunk/{id:x16}/{index:x8}";

    public static string UploadKey(long id) => $"{UploadPrefix}{id:x16}";

    public static string UploadPartKey(long id, int number) => $"{PartPrefix(id)}{number:x8}";

    /// <summary>What takes a blob out of the catalog. Its upload stays there until the storage has been told to give it up.</summary>
    public static IReadOnlyList<DurableWrite> RemovalWrites(DurableStore catalog, long id) => [new(RecordKey(id), null), .. Deletions(catalog, ChunkPrefix(id)), .. Deletions(catalog, PartPrefix(id))];

    /// <summary>What takes a blob's upload out of the catalog.</summary>
    public static IReadOnlyList<DurableWrite> UploadWrites(DurableStore catalog, long id) => [new(UploadKey(id), null), .. Deletions(catalog, PartPrefix(id))];

    private static string PartPrefix(long id) => $"part/{id:x16}/";

    private static IEnumerable<DurableWrite> Deletions(DurableStore catalog, string prefix) => catalog.Keys(prefix).Select(key => new DurableWrite(key, null));
}
