namespace Platform.DataPlane.Weights;

/// <summary>A chunk of a file, at its place in a plan.</summary>
/// <remarks>A class: the runtime has the code of lists and tasks of objects at hand, and must compile that of pairs when the process starts.</remarks>
internal sealed record PlannedChunk(StagedFile File, int Chunk);
