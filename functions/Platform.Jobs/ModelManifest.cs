namespace Platform.Jobs;

/// <summary>A published model: the body of <c>PUT /api/models/{name}</c>. The files lie in object storage under <see cref="ObjectKeys.ModelFolder"/>.</summary>
public sealed record ModelManifest
{
    /// <summary>The model's name; <see cref="Names.ModelRule"/>.</summary>
    public required string Name { get; init; }

    /// <summary>Every file of the model, <c>config.json</c>, <c>tokenizer.json</c> and at least one <c>.safetensors</c> among them.</summary>
    public required IReadOnlyList<ModelFile> Files { get; init; }

    /// <summary>When it was published, UTC.</summary>
    public DateTimeOffset? PublishedAt { get; init; }

    /// <summary>Bytes of all files.</summary>
    public long LengthBytes => Files.Sum(file => file.LengthBytes);
}

/// <summary>One file of a model.</summary>
/// <param name="Name">File name within the model's folder, without a slash.</param>
/// <param name="LengthBytes">Its length.</param>
/// <param name="ETag">Object storage's ETag at publication; a different one later means that the object was overwritten.</param>
public sealed record ModelFile(string Name, long LengthBytes, string ETag);

/// <summary>How near to running a model is on one node.</summary>
[System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<ModelResidency>))]
public enum ModelResidency
{
    /// <summary>Nothing of it is here.</summary>
    Absent,

    /// <summary>All of its files are sealed in the NVMe tier.</summary>
    Nvme,

    /// <summary>Asleep: its weights are in host memory, from where it wakes without a byte from NVMe.</summary>
    Host,

    /// <summary>On its way into memory.</summary>
    Loading,

    /// <summary>In memory and ready to run.</summary>
    Ready,
}

/// <summary>One row of <c>GET /api/models</c>.</summary>
/// <param name="Manifest">The published manifest.</param>
/// <param name="Nodes">Residency per worker that has any of it.</param>
public sealed record ModelStatus(ModelManifest Manifest, IReadOnlyDictionary<string, ModelResidency> Nodes);
