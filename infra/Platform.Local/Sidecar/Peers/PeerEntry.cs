namespace Platform.Local.Sidecar.Peers;

/// <summary>What one sidecar tells the other processes of this machine about itself: the content of its file in the registry folder.</summary>
internal sealed record PeerEntry
{
    /// <summary>App id.</summary>
    public required string AppId { get; init; }

    /// <summary>Process that serves it: an entry of a process that is gone counts as absent.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Port of its HTTP API on the loopback address.</summary>
    public required int HttpPort { get; init; }

    /// <summary>What a peer must show to speak as one; only readable by the same user.</summary>
    public required string Secret { get; init; }

    /// <summary>Actor types that its app hosts at present.</summary>
    public IReadOnlyList<string> ActorTypes { get; init; } = [];
}
