using System.Runtime.InteropServices;

namespace Platform.DataPlane;

/// <summary>One write of a commit to a <see cref="DurableStore"/>.</summary>
/// <param name="Key">The key: any text that is not empty.</param>
/// <param name="Value">The value, not to be changed afterwards; null deletes the key.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct DurableWrite(string Key, byte[]? Value);
