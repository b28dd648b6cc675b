namespace Platform.DataPlane.Tiering;

/// <summary>How much of the budget a class may count on, and how much it may take.</summary>
/// <param name="FloorBytes">Other classes never push it below this. Default 0.</param>
/// <param name="CeilingBytes">It never has more than this. Default: the whole budget.</param>
public sealed record ClassShare(long FloorBytes = 0, long CeilingBytes = long.MaxValue);
