using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Weights;

/// <summary>A model's files in object storage.</summary>
/// <param name="Model">The model's name, for messages.</param>
/// <param name="Storage">Where the files are. The stager counts for itself what it reads.</param>
/// <param name="Files"><c>config.json</c>, <c>tokenizer.json</c>, at least one <c>.safetensors</c>, and whatever else belongs to the model.</param>
public sealed record ModelFiles(string Model, IObjectStorage Storage, IReadOnlyList<ModelFileSource> Files)
{
    /// <summary>The weights files, in the order of their names.</summary>
    internal IEnumerable<ModelFileSource> Weights => Files.Where(static file => file.IsWeights).OrderBy(static file => file.Name, StringComparer.Ordinal);

    /// <summary>Checks that the files that every model has are there.</summary>
    /// <exception cref="WeightsException">One is missing.</exception>
    internal void Check()
    {
        var missing = !Has("config.json") ? "'config.json'" : !Has("tokenizer.json") ? "'tokenizer.json'" : !Weights.Any() ? "'.safetensors' file" : null;
        if (missing is not null)
        {
            throw new WeightsException($"Model '{Model}' has no {missing} among its {Files.Count} files. Publish it in Hugging Face layout.");
        }
    }

    private bool Has(string name) => Files.Any(file => file.Name == name);
}

/// <summary>One file of a model.</summary>
/// <param name="Name">Its name within the model.</param>
/// <param name="ObjectKey">Its key in object storage; also its key in the tier.</param>
/// <param name="LengthBytes">Its length.</param>
/// <param name="ETag">Its ETag at publication. A file that has another one now is an error, never half a new model.</param>
public sealed record ModelFileSource(string Name, string ObjectKey, long LengthBytes, string ETag)
{
    /// <summary>True for a file of tensors.</summary>
    internal bool IsWeights => Name.EndsWith(".safetensors", StringComparison.Ordinal);
}
