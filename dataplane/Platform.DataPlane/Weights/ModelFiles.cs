using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Weights;

/// <summary>A model's files in object storage.</summary>
/// <param name="Model">The model's name, for messages.</param>
/// <param name="Storage">Where the files are. The stager counts for itself what it reads.</param>
/// <param name="Files"><c>config.json</c>, <c>tokenizer.json</c>, at least one <c>.safetensors</c>, and whatever else belongs to the model.</param>
public sealed record ModelFiles(string Model, IObjectStorage Storage, IReadOnlyList<ModelFileSource> Files);

/// <summary>One file of a model.</summary>
/// <param name="Name">Its name within the model.</param>
/// <param name="ObjectKey">Its key in object storage; also its key in the tier.</param>
/// <param name="LengthBytes">Its length.</param>
/// <param name="ETag">Its ETag at publication. A file that has another one now is an error, never half a new model.</param>
public sealed record ModelFileSource(string Name, string ObjectKey, long LengthBytes, string ETag);
