namespace Platform.DataPlane;

/// <summary>What can go wrong with stored bytes, named by who can act on it.</summary>
public enum StorageError
{
    /// <summary>The device or the file system failed (EIO and its like). Look at the disk.</summary>
    Io,

    /// <summary>The disk, or a configured byte limit, is full. Free space or raise the limit.</summary>
    Full,

    /// <summary>Bytes are not what their checksum says. The message names file and offset.</summary>
    Corrupt,

    /// <summary>Another process has the folder open. Stop it, or use another folder.</summary>
    InUse,

    /// <summary>The folder was written by a version of the format that this program does not read.</summary>
    Version,

    /// <summary>The value is larger than the configured maximum.</summary>
    TooLarge,

    /// <summary>There is no such object, blob or key.</summary>
    NotFound,

    /// <summary>The object changed: its ETag is not the expected one, or a condition of the write did not hold.</summary>
    Changed,

    /// <summary>The object is shorter or longer than announced.</summary>
    Truncated,

    /// <summary>A key that no object can have.</summary>
    InvalidKey,

    /// <summary>The other side does not answer or refuses service at present; a later try may succeed.</summary>
    Unavailable,
}
