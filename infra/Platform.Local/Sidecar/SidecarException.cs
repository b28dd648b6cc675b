namespace Platform.Local.Sidecar;

/// <summary>A sidecar cannot start as it was asked to; the message says which setting or which line of which file, and what to do.</summary>
internal sealed class SidecarException(string message, Exception? inner = null) : Exception(message, inner);
