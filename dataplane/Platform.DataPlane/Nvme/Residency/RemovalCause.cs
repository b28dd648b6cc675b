namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Why a blob leaves the tier.</summary>
/// <param name="Kind">One of a few words, for metrics.</param>
/// <param name="Text">In full, for <see cref="NvmeTier.Explain"/> and the log.</param>
internal sealed record RemovalCause(string Kind, string Text)
{
    public static RemovalCause Room(string text) => new("room", text);

    public static RemovalCause Limit(string text) => new("limit", text);

    public static RemovalCause Changed(string text) => new("changed", text);

    public static RemovalCause Rewritten(string text) => new("rewritten", text);

    public static RemovalCause Request(string text) => new("request", text);
}
