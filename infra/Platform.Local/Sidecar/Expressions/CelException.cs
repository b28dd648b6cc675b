namespace Platform.Local.Sidecar.Expressions;

/// <summary>An expression is outside the subset of CEL that is supported, or cannot be evaluated over this value.</summary>
internal sealed class CelException(string message) : Exception(message);
