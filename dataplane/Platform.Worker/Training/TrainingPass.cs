using System.Numerics.Tensors;

namespace Platform.Worker.Training;

/// <summary>Forward and backward pass of the decoder over one sequence, in floats. Each pass has memory of its own, so several may run side by side on the same parameters.</summary>
internal sealed unsafe class TrainingPass
{
    private readonly TrainingShape _shape;
    private readonly TransposedWeights _transposed;
    private readonly LayerState[] _layers;
    private readonly AttentionPass _attention;
    private readonly FloatMemory _stream;
    private readonly FloatMemory _final;
    private readonly FloatMemory _finalScale;
    private readonly FloatMemory _logits;
    private readonly FloatMemory _dStream;
    private readonly FloatMemory _dNormed;
    private readonly FloatMemory _dWide;
    private readonly FloatMemory _dUp;
    private readonly FloatMemory _dQuery;
    private readonly FloatMemory _dKey;
    private readonly FloatMemory _dValue;

    public TrainingPass(TrainingShape shape, Parameters parameters, TransposedWeights transposed)
    {
        (_shape, Weights, _transposed) = (shape, parameters, transposed);
        Gradients = new Parameters(shape);
        FloatMemory Rows(int width) => new(shape.Context * width);
        _layers = [.. Enumerable.Range(0, shape.Layers).Select(_ => new LayerState(shape))];
        _attention = new AttentionPass(shape);
        _stream = Rows(shape.Hidden);
        _final = Rows(shape.Hidden);
        _finalScale = Rows(1);
        _logits = Rows(shape.Vocabulary);
        _dStream = Rows(shape.Hidden);
        _dNormed = Rows(shape.Hidden);
        _dWide = Rows(Math.Max(shape.Intermediate, shape.Hidden));
        _dUp = Rows(shape.Intermediate);
        _dQuery = Rows(shape.Hidden);
        _dKey = Rows(shape.KeyValueSize);
        _dValue = Rows(shape.KeyValueSize);
    }

    public Parameters Weights { get; }

    /// <summary>Sums over all sequences since they were cleared.</summary>
    public Parameters Gradients { get; }

    /// <summary>Predicts each token from those before it.</summary>
    /// <param name="tokens">One more than positions: the last is only a target. At most the context plus one.</param>
    /// <returns>Sum of the negative log probabilities of the targets, in nats.</returns>
    public double Forward(ReadOnlySpan<int> tokens)
    {
        var rows = tokens.Length - 1;
        var hidden = _shape.Hidden;
        for (var t = 0; t < rows; t++)
        {
            Weights.Embedding.Values.Span.Slice(tokens[t] * hidden, hidden).CopyTo(_stream.Span[(t * hidden)..]);
        }

        for (var i = 0; i < _layers.Length; i++)
        {
            ForwardLayer(_layers[i], Weights.Layers[i], _transposed.Layers[i], rows);
        }

        RmsNorm.Forward(_stream.Pointer, Weights.FinalNorm.Pointer, _final.Pointer, _finalScale.Pointer, rows, hidden, _shape.NormEpsilon);
        Gemm.Multiply(rows, _shape.Vocabulary, hidden, _final.Pointer, hidden, 1, _transposed.Embedding.Pointer, _shape.Vocabulary, _logits.Pointer, _shape.Vocabulary, add: false);
        return LossAndGradient(tokens[1..]);
    }

    /// <summary>Adds the gradient of the latest <see cref="Forward"/>'s sum, times <paramref name="scale"/>.</summary>
    public void Backward(ReadOnlySpan<int> tokens, float scale)
    {
        int rows = tokens.Length - 1, hidden = _shape.Hidden, vocabulary = _shape.Vocabulary;
        var dLogits = _logits.Span[..(rows * vocabulary)];
        TensorPrimitives.Multiply(dLogits, scale, dLogits);
        Gemm.Multiply(rows, hidden, vocabulary, _logits.Pointer, vocabulary, 1, Weights.Embedding.Pointer, hidden, _dNormed.Pointer, hidden, add: false);
        AddWeightGradient(_logits, vocabulary, _final, hidden, rows, Gradients.Embedding);
        _dStream.Clear();
        RmsNorm.Backward(_dNormed.Pointer, _stream.Pointer, Weights.FinalNorm.Pointer, _finalScale.Pointer, _dStream.Pointer, Gradients.FinalNorm.Pointer, rows, hidden);
        for (var i = _layers.Length - 1; i >= 0; i--)
        {
            BackwardLayer(_layers[i], Weights.Layers[i], Gradients.Layers[i], rows);
        }

        for (var t = 0; t < rows; t++)
        {
            var target = Gradients.Embedding.Values.Span.Slice(tokens[t] * hidden, hidden);
            TensorPrimitives.Add(target, _dStream.Span.Slice(t * hidden, hidden), target);
        }
    }

    private void ForwardLayer(LayerState state, LayerParameters weights, TransposedLayer transposed, int rows)
    {
        int hidden = _shape.Hidden, wide = _shape.Intermediate;
        Copy(_stream, state.Input, rows * hidden);
        RmsNorm.Forward(state.Input.Pointer, weights.AttentionNorm.Pointer, state.AttentionNormed.Pointer, state.AttentionScale.Pointer, rows, hidden, _shape.NormEpsilon);
        Apply(state.AttentionNormed, hidden, transposed.Query, hidden, state.Query, rows, add: false);
        Apply(state.AttentionNormed, hidden, transposed.Key, _shape.KeyValueSize, state.Key, rows, add: false);
        Apply(state.AttentionNormed, hidden, transposed.Value, _shape.KeyValueSize, state.Value, rows, add: false);
        _attention.Forward(state, rows);
        Apply(state.Attended, hidden, transposed.Output, hidden, _stream, rows, add: true);

        Copy(_stream, state.Middle, rows * hidden);
        RmsNorm.Forward(state.Middle.Pointer, weights.MlpNorm.Pointer, state.MlpNormed.Pointer, state.MlpScale.Pointer, rows, hidden, _shape.NormEpsilon);
        Apply(state.MlpNormed, hidden, transposed.Gate, wide, state.Gate, rows, add: false);
        Apply(state.MlpNormed, hidden, transposed.Up, wide, state.Up, rows, add: false);
        var length = rows * wide;
        TensorPrimitives.Sigmoid(state.Gate.Span[..length], state.Sigmoid.Span);
        TensorPrimitives.Multiply(state.Gate.Span[..length], state.Sigmoid.Span[..length], state.Inner.Span);
        TensorPrimitives.Multiply(state.Inner.Span[..length], state.Up.Span[..length], state.Inner.Span);
        Apply(state.Inner, wide, transposed.Down, hidden, _stream, rows, add: true);
    }

    private void BackwardLayer(LayerState state, LayerParameters weights, LayerParameters gradients, int rows)
    {
        int hidden = _shape.Hidden, wide = _shape.Intermediate, keyValue = _shape.KeyValueSize;
        AddWeightGradient(_dStream, hidden, state.Inner, wide, rows, gradients.Down);
        ApplyTransposed(_dStream, weights.Down, _dWide, rows, add: false);
        BackwardGate(state, rows * wide);
        AddWeightGradient(_dWide, wide, state.MlpNormed, hidden, rows, gradients.Gate);
        AddWeightGradient(_dUp, wide, state.MlpNormed, hidden, rows, gradients.Up);
        ApplyTransposed(_dWide, weights.Gate, _dNormed, rows, add: false);
        ApplyTransposed(_dUp, weights.Up, _dNormed, rows, add: true);
        RmsNorm.Backward(_dNormed.Pointer, state.Middle.Pointer, weights.MlpNorm.Pointer, state.MlpScale.Pointer, _dStream.Pointer, gradients.MlpNorm.Pointer, rows, hidden);

        AddWeightGradient(_dStream, hidden, state.Attended, hidden, rows, gradients.Output);
        ApplyTransposed(_dStream, weights.Output, _dWide, rows, add: false);
        _attention.Backward(state, _dWide, _dQuery, _dKey, _dValue, rows);
        AddWeightGradient(_dQuery, hidden, state.AttentionNormed, hidden, rows, gradients.Query);
        AddWeightGradient(_dKey, keyValue, state.AttentionNormed, hidden, rows, gradients.Key);
        AddWeightGradient(_dValue, keyValue, state.AttentionNormed, hidden, rows, gradients.Value);
        ApplyTransposed(_dQuery, weights.Query, _dNormed, rows, add: false);
        ApplyTransposed(_dKey, weights.Key, _dNormed, rows, add: true);
        ApplyTransposed(_dValue, weights.Value, _dNormed, rows, add: true);
        RmsNorm.Backward(_dNormed.Pointer, state.Input.Pointer, weights.AttentionNorm.Pointer, state.AttentionScale.Pointer, _dStream.Pointer, gradients.AttentionNorm.Pointer, rows, hidden);
    }

    /// <summary>inner = gate * sigmoid(gate) * up: turns the gradient of inner in <c>_dWide</c> into that of gate, and fills <c>_dUp</c>.</summary>
    private void BackwardGate(LayerState state, int length)
    {
        float* dInner = _dWide.Pointer, dUp = _dUp.Pointer, gate = state.Gate.Pointer, up = state.Up.Pointer, sigmoid = state.Sigmoid.Pointer;
        for (var i = 0; i < length; i++)
        {
            var silu = gate[i] * sigmoid[i];
            dUp[i] = dInner[i] * silu;
            dInner[i] *= up[i] * (sigmoid[i] + (silu * (1 - sigmoid[i])));
        }
    }

    /// <summary>Softmax cross entropy; leaves its gradient where the logits were.</summary>
    private double LossAndGradient(ReadOnlySpan<int> targets)
    {
        var loss = 0.0;
        for (var t = 0; t < targets.Length; t++)
        {
            var row = _logits.Span.Slice(t * _shape.Vocabulary, _shape.Vocabulary);
            var logit = row[targets[t]];
            var largest = TensorPrimitives.Max<float>(row);
            TensorPrimitives.Subtract(row, largest, row);
            TensorPrimitives.Exp<float>(row, row);
            var sum = TensorPrimitives.Sum<float>(row);
            TensorPrimitives.Divide(row, sum, row);
            loss += Math.Log(sum) - (logit - largest);
            row[targets[t]] -= 1;
        }

        return loss;
    }

    /// <summary><c>y = x W^T</c> with W^T at hand.</summary>
    private static void Apply(FloatMemory x, int inputs, FloatMemory transposed, int outputs, FloatMemory y, int rows, bool add) =>
        Gemm.Multiply(rows, outputs, inputs, x.Pointer, inputs, 1, transposed.Pointer, outputs, y.Pointer, outputs, add);

    /// <summary><c>dx = dy W</c>.</summary>
    private static void ApplyTransposed(FloatMemory dy, Parameter weights, FloatMemory dx, int rows, bool add) =>
        Gemm.Multiply(rows, weights.Columns, weights.Rows, dy.Pointer, weights.Rows, 1, weights.Pointer, weights.Columns, dx.Pointer, weights.Columns, add);

    /// <summary><c>dW += dy^T x</c>.</summary>
    private static void AddWeightGradient(FloatMemory dy, int outputs, FloatMemory x, int inputs, int rows, Parameter gradient) =>
        Gemm.Multiply(outputs, inputs, rows, dy.Pointer, 1, outputs, x.Pointer, inputs, gradient.Pointer, inputs, add: true);

    private static void Copy(FloatMemory source, FloatMemory target, int length) => source.Span[..length].CopyTo(target.Span);
}
