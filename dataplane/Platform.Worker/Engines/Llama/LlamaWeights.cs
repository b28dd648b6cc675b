using Platform.DataPlane.Weights;

namespace Platform.Worker.Engines.Llama;

/// <summary>The weights of one transformer block.</summary>
internal sealed record LlamaLayer(
    float[] AttentionNorm,
    Matrix Query,
    Matrix Key,
    Matrix Value,
    Matrix Output,
    float[]? QueryBias,
    float[]? KeyBias,
    float[]? ValueBias,
    float[]? OutputBias,
    float[] MlpNorm,
    Matrix Gate,
    Matrix Up,
    Matrix Down,
    float[]? GateBias,
    float[]? UpBias,
    float[]? DownBias);

/// <summary>What follows the last block.</summary>
internal sealed record LlamaHead(float[] Norm, Matrix Output);

/// <summary>A model's weights, which arrive in the order in which a token passes through them.</summary>
/// <remarks>Each part is a task, so that a first prompt is already on its way through the early layers while the late ones are still being read.</remarks>
internal sealed class LlamaWeights : IDisposable
{
    private readonly LlamaTensorReader _reader;
    private readonly TaskCompletionSource<Matrix> _embedding = NewPart<Matrix>();
    private readonly TaskCompletionSource<LlamaLayer>[] _layers;
    private readonly TaskCompletionSource<LlamaHead> _head = NewPart<LlamaHead>();
    private readonly LlamaConfig _config;

    private LlamaWeights(LlamaConfig config, ITensorSource source)
    {
        _config = config;
        _reader = new LlamaTensorReader(source);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(_ => NewPart<LlamaLayer>())];
    }

    /// <summary>[vocabulary, hidden].</summary>
    public Task<Matrix> Embedding => _embedding.Task;

    public Task<LlamaHead> Head => _head.Task;

    /// <summary>Ends when every part is there, or with the reason why one is not.</summary>
    public Task Loaded { get; private set; } = Task.CompletedTask;

    public Task<LlamaLayer> Layer(int index) => _layers[index].Task;

    /// <summary>Checks names, types and shapes of all tensors, then begins to read them.</summary>
    /// <exception cref="EngineException">A tensor is missing or not what <c>config.json</c> says; every fault is listed (up to ten).</exception>
    public static LlamaWeights Start(LlamaConfig config, ITensorSource source, CancellationToken cancellationToken)
    {
        LlamaTensors.Check(config, source.Tensors);
        var weights = new LlamaWeights(config, source);
        weights.Loaded = weights.LoadAsync(cancellationToken);
        return weights;
    }

    /// <summary>The name of a tensor with a NaN or an infinity in it; null if there is none.</summary>
    public string? FindBadTensor() => _reader.FindBadTensor();

    public void Dispose() => _reader.Dispose();

    private static TaskCompletionSource<T> NewPart<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var embedding = await _reader.MatrixAsync(LlamaTensors.Embedding, cancellationToken);
            _embedding.SetResult(embedding);
            for (var i = 0; i < _layers.Length; i++)
            {
                _layers[i].SetResult(await LoadLayerAsync(i, cancellationToken));
            }

            var norm = await _reader.VectorAsync(LlamaTensors.FinalNorm, cancellationToken);
            _head.SetResult(new LlamaHead(norm, _config.TiedEmbeddings ? embedding : await _reader.MatrixAsync(LlamaTensors.Head, cancellationToken)));
        }
        catch (Exception error)
        {
            _embedding.TrySetException(error);
            _head.TrySetException(error);
            foreach (var layer in _layers)
            {
                layer.TrySetException(error);
            }

            throw;
        }
    }

    private async Task<LlamaLayer> LoadLayerAsync(int index, CancellationToken cancellationToken)
    {
        ValueTask<Matrix> Matrix(string part) => _reader.MatrixAsync(LlamaTensors.InLayer(index, part + ".weight"), cancellationToken);
        async ValueTask<float[]?> Bias(bool present, string part) => present ? await _reader.VectorAsync(LlamaTensors.InLayer(index, part + ".bias"), cancellationToken) : null;

        return new LlamaLayer(
            AttentionNorm: await _reader.VectorAsync(LlamaTensors.InLayer(index, "input_layernorm.weight"), cancellationToken),
            Query: await Matrix("self_attn.q_proj"),
            Key: await Matrix("self_attn.k_proj"),
            Value: await Matrix("self_attn.v_proj"),
            Output: await Matrix("self_attn.o_proj"),
            QueryBias: await Bias(_config.QkvBias, "self_attn.q_proj"),
            KeyBias: await Bias(_config.QkvBias, "self_attn.k_proj"),
            ValueBias: await Bias(_config.QkvBias, "self_attn.v_proj"),
            OutputBias: await Bias(_config.OutputBias, "self_attn.o_proj"),
            MlpNorm: await _reader.VectorAsync(LlamaTensors.InLayer(index, "post_attention_layernorm.weight"), cancellationToken),
            Gate: await Matrix("mlp.gate_proj"),
            Up: await Matrix("mlp.up_proj"),
            Down: await Matrix("mlp.down_proj"),
            GateBias: await Bias(_config.MlpBias, "mlp.gate_proj"),
            UpBias: await Bias(_config.MlpBias, "mlp.up_proj"),
            DownBias: await Bias(_config.MlpBias, "mlp.down_proj"));
    }
}
