namespace Platform.Jobs;

/// <summary>The answer of <c>GET /api/status</c>.</summary>
/// <param name="Nodes">Every node that control knows.</param>
/// <param name="ControlReachable">False: the nodes are as they were <paramref name="TableAgeSeconds"/> ago.</param>
/// <param name="TableAgeSeconds">Null if the table is new, or there never was one.</param>
/// <param name="HeldCalls">Calls that wait for their model.</param>
/// <param name="FunctionsProcessId">Process id of this handler.</param>
/// <param name="At">When this was answered.</param>
public sealed record PlatformStatus(IReadOnlyList<NodeStatus> Nodes, bool ControlReachable, double? TableAgeSeconds, int HeldCalls, int FunctionsProcessId, DateTimeOffset At);
