namespace Platform.DataPlane;

/// <summary>Stored bytes could not be read or written as promised.</summary>
/// <remarks>It is an <see cref="IOException"/>, so code that only cares that I/O failed may catch that.</remarks>
public sealed class StorageException : IOException
{
    /// <summary>Makes an exception.</summary>
    /// <param name="error">What kind, for code.</param>
    /// <param name="message">Which thing, what was found, what was expected, what to do; for people.</param>
    /// <param name="inner">The cause below, if any.</param>
    public StorageException(StorageError error, string message, Exception? inner = null)
        : base(message, inner) => Error = error;

    /// <summary>What kind it is.</summary>
    public StorageError Error { get; }

    /// <summary>Wraps a failure of the file system, telling a full disk from a broken one.</summary>
    internal static StorageException From(Exception cause, string what) => cause switch
    {
        StorageException storage => storage,
        _ when IsNoSpace(cause) => new(StorageError.Full, $"{what}: the disk is full ({cause.Message}). Free space on it; nothing that was acknowledged is lost.", cause),
        _ => new(StorageError.Io, $"{what}: {cause.Message}", cause),
    };

    /// <summary>True for ENOSPC (28) and EDQUOT (122), which .NET reports as the error number in <see cref="Exception.HResult"/>.</summary>
    private static bool IsNoSpace(Exception cause) => cause is IOException && cause.HResult is 28 or 122;
}
