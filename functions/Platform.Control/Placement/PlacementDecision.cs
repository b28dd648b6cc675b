namespace Platform.Control.Placement;

/// <summary>Where something goes, or why it goes nowhere.</summary>
/// <param name="Worker">The chosen node; null if none can take it now.</param>
/// <param name="InstanceId">The process that runs there.</param>
/// <param name="Reason">Why this node, or why each node was rejected, in a sentence for people.</param>
/// <param name="Never">True if nodes are alive and none of them could ever take it, however long it waits.</param>
internal sealed record PlacementDecision(string? Worker, string? InstanceId, string Reason, bool Never)
{
    /// <summary>True if <see cref="Never"/> is so because no living node runs the kind of job.</summary>
    public bool WrongKind { get; private init; }

    public static PlacementDecision None(IReadOnlyList<Rejection> rejections) => new(
        null,
        null,
        rejections.Count == 0
            ? "No worker has sent a heartbeat yet."
            : "No node can take it: " + string.Join("; ", rejections.Select(rejection => $"{rejection.Worker} {rejection.Reason}")) + ".",
        rejections.Any(rejection => rejection.Lasting) && rejections.All(rejection => rejection.Lasting || rejection.Gone))
    {
        WrongKind = rejections.Any(rejection => rejection.WrongKind) && rejections.All(rejection => rejection.WrongKind || rejection.Gone),
    };
}

/// <summary>Why one node was not chosen.</summary>
/// <param name="Worker">The node.</param>
/// <param name="Reason">Ends the sentence that the node's name begins.</param>
/// <param name="Lasting">True if waiting does not help.</param>
/// <param name="Gone">True if the node does not answer, so that it says nothing about what could be.</param>
/// <param name="WrongKind">True if the node does not run such jobs at all.</param>
internal sealed record Rejection(string Worker, string Reason, bool Lasting = false, bool Gone = false, bool WrongKind = false);
