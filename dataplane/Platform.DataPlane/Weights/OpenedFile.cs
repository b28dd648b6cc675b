namespace Platform.DataPlane.Weights;

/// <summary>A weights file whose tensors are known.</summary>
/// <param name="File">The file.</param>
/// <param name="Header">What it says of its tensors.</param>
/// <param name="LandedChunks">Chunks at its beginning that are where they go, since the header was read from them.</param>
internal sealed record OpenedFile(StagedFile File, SafetensorsHeader Header, int LandedChunks);
