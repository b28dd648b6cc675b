namespace Platform.Worker.Training;

/// <summary>Transposed matrices of one block, [inputs, outputs].</summary>
internal sealed record TransposedLayer(FloatMemory Query, FloatMemory Key, FloatMemory Value, FloatMemory Output, FloatMemory Gate, FloatMemory Up, FloatMemory Down);

/// <summary>The matrices the other way round, as the forward pass reads them; made once per step for all sequences.</summary>
internal sealed class TransposedWeights
{
    private readonly List<(Parameter Source, FloatMemory Target)> _pairs = [];

    public TransposedWeights(Parameters weights)
    {
        Embedding = Add(weights.Embedding);
        Layers = [.. weights.Layers.Select(layer => new TransposedLayer(Add(layer.Query), Add(layer.Key), Add(layer.Value), Add(layer.Output), Add(layer.Gate), Add(layer.Up), Add(layer.Down)))];
    }

    /// <summary>[hidden, vocabulary].</summary>
    public FloatMemory Embedding { get; }

    public IReadOnlyList<TransposedLayer> Layers { get; }

    /// <summary>Takes over what the weights are now.</summary>
    public unsafe void Update()
    {
        foreach (var (source, target) in _pairs)
        {
            Gemm.Transpose(source.Rows, source.Columns, source.Pointer, source.Columns, target.Pointer, source.Rows);
        }
    }

    private FloatMemory Add(Parameter source)
    {
        var target = new FloatMemory(source.Values.Length);
        _pairs.Add((source, target));
        return target;
    }
}
