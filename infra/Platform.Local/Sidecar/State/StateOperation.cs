namespace Platform.Local.Sidecar.State;

/// <summary>A write or delete of one key.</summary>
internal sealed record StateOperation
{
    /// <summary>Key in the store, with its prefix.</summary>
    public required string Key { get; init; }

    /// <summary>What is written; null deletes.</summary>
    public byte[]? Value { get; init; }

    /// <summary>ETag that must hold; null: none.</summary>
    public string? ETag { get; init; }

    /// <summary>Without an ETag, the key must not exist.</summary>
    public bool FirstWrite { get; init; }

    /// <summary>Time to live; zero or negative: no end. Null: no end either, as with every write.</summary>
    public TimeSpan? TimeToLive { get; init; }
}

/// <summary>Why an operation was not applied.</summary>
internal enum StateConflict
{
    /// <summary>It was applied.</summary>
    None,

    /// <summary>Somebody else wrote or deleted the key, or it exists although it must not.</summary>
    Mismatch,

    /// <summary>The ETag is none that this store ever made.</summary>
    InvalidETag,
}
