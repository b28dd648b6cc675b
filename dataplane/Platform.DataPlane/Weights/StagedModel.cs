namespace Platform.DataPlane.Weights;

/// <summary>A model whose small files are in memory and whose tensors are there or on their way, in the order in which the model needs them.</summary>
/// <remarks>Dispose it after everything that computes on its tensors has stopped; the memory is freed when the last of those who staged the model has.</remarks>
public sealed class StagedModel : IAsyncDisposable
{
    private readonly ModelStager _stager;
    private readonly Staging _staging;
    private int _disposed;

    internal StagedModel(ModelStager stager, Staging staging)
    {
        _stager = stager;
        _staging = staging;
    }

    /// <summary>Content of <c>config.json</c>.</summary>
    public ReadOnlyMemory<byte> ConfigJson => _staging.File("config.json")!.Value;

    /// <summary>Content of <c>tokenizer.json</c>.</summary>
    public ReadOnlyMemory<byte> TokenizerJson => _staging.File("tokenizer.json")!.Value;

    /// <summary>The tensors. Owned by this model: dispose the model, not them.</summary>
    public ITensorSource Tensors => _staging.Tensors;

    /// <summary>Waits until a tensor is in device memory, for models that were staged onto a device.</summary>
    /// <exception cref="WeightsException">There is no such tensor, it could not be brought in, or the model is not on a device.</exception>
    public Task<DeviceTensor> OnDeviceAsync(string name, CancellationToken cancellationToken = default) => _staging.OnDeviceAsync(name, cancellationToken);

    /// <summary>Completes when every tensor is in memory; fails as the staging failed, with a <see cref="StorageException"/> that names the object.</summary>
    public Task Completion => _staging.Completion;

    /// <summary>What it took so far.</summary>
    public StagingReport Report => _staging.Report;

    /// <summary>Content of another file of the model that is not weights, for example <c>generation_config.json</c>; null if the model has none of that name.</summary>
    public ReadOnlyMemory<byte>? File(string name) => _staging.File(name);

    /// <summary>Stops a staging that is under way unless somebody else shares it, and frees the memory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await _stager.ReleaseAsync(_staging);
        }
    }
}
