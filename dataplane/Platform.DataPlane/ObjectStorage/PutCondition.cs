using System.Runtime.InteropServices;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>What must hold for a write to happen. The default is no condition.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct PutCondition
{
    /// <summary>Only if there is no such object (<c>If-None-Match: *</c>). Of many writers at once exactly one succeeds.</summary>
    public static PutCondition IfAbsent { get; } = new() { MustBeAbsent = true };

    /// <summary>True for <see cref="IfAbsent"/>.</summary>
    public bool MustBeAbsent { get; private init; }

    /// <summary>The ETag that the object must have; null for any.</summary>
    public string? MustMatch { get; private init; }

    /// <summary>Only if the object is there with this ETag (<c>If-Match</c>).</summary>
    public static PutCondition IfMatch(string etag) => new() { MustMatch = etag };
}
