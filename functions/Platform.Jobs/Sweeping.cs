namespace Platform.Jobs;

/// <summary>Worker: answer to a request to release an idle model.</summary>
/// <param name="Released">True if the model left memory; false if it is in use, was used too lately, or is not there. The NVMe tier keeps it either way.</param>
public sealed record ReleaseAnswer(bool Released);

/// <summary>Worker: answer to a request to delete what the attempts of an ended job left in object storage.</summary>
/// <param name="Objects">Objects deleted.</param>
/// <param name="LengthBytes">Their bytes.</param>
public sealed record TidyAnswer(int Objects, long LengthBytes);

/// <summary>Answer of <c>ModelActor.Sweep</c>.</summary>
/// <param name="Published">False: the name is not published, so every replica of it is an orphan.</param>
/// <param name="Released">Workers that took an idle replica out of memory; a call brings it back from the NVMe tier.</param>
/// <param name="Dropped">Workers that were told to drop an orphan, from memory and tier.</param>
public sealed record ModelSweep(bool Published, IReadOnlyList<string> Released, IReadOnlyList<string> Dropped);
