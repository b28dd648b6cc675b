namespace Platform.Local.Sidecar;

/// <summary>What a sidecar serves and by what: the honest part of the start-up log.</summary>
/// <param name="Components">One entry per component.</param>
internal sealed record SidecarReport(IReadOnlyList<ServedComponent> Components);

/// <summary>A component and what serves it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type as the file has it.</param>
/// <param name="ReplacedBy">What of ours stands in for it; null if it is what it says.</param>
internal sealed record ServedComponent(string Name, string Type, string? ReplacedBy);
