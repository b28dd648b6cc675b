using System.Numerics.Tensors;

namespace Platform.Worker.Training;

/// <summary>Causal attention with rotary positions and shared key heads, forward and backward, by matrix products over blocks of rows that leave out most of what lies above the diagonal.</summary>
internal sealed unsafe class AttentionPass
{
    private const int BlockRows = 64;

    private readonly TrainingShape _shape;
    private readonly float[] _cosines;
    private readonly float[] _sines;
    private readonly FloatMemory _transposed;
    private readonly FloatMemory _dProbabilities;

    public AttentionPass(TrainingShape shape)
    {
        _shape = shape;
        var half = shape.HeadSize / 2;
        _cosines = new float[shape.Context * half];
        _sines = new float[shape.Context * half];
        for (var i = 0; i < _cosines.Length; i++)
        {
            // As the engine computes them: frequency and angle in single precision.
            var frequency = (float)(1 / Math.Pow(shape.RopeTheta, 2.0 * (i % half) / shape.HeadSize));
            (_sines[i], _cosines[i]) = MathF.SinCos(i / half * frequency);
        }

        _transposed = new FloatMemory(shape.HeadSize * shape.Context);
        _dProbabilities = new FloatMemory(BlockRows * shape.Context);
    }

    private float Scale => 1 / MathF.Sqrt(_shape.HeadSize);

    /// <summary>Turns query and key of the state in place and fills its probabilities and its output.</summary>
    public void Forward(LayerState state, int rows)
    {
        Turn(state.Query.Pointer, _shape.Heads, rows, forward: true);
        Turn(state.Key.Pointer, _shape.KeyValueHeads, rows, forward: true);
        for (var h = 0; h < _shape.Heads; h++)
        {
            ForwardHead(state, h, rows);
        }
    }

    /// <summary>Fills the gradients of query, key and value (before turning) from that of the output.</summary>
    public void Backward(LayerState state, FloatMemory dAttended, FloatMemory dQuery, FloatMemory dKey, FloatMemory dValue, int rows)
    {
        dKey.Clear();
        dValue.Clear();
        for (var h = 0; h < _shape.Heads; h++)
        {
            BackwardHead(state, h, rows, dAttended, dQuery, dKey, dValue);
        }

        Turn(dQuery.Pointer, _shape.Heads, rows, forward: false);
        Turn(dKey.Pointer, _shape.KeyValueHeads, rows, forward: false);
    }

    private void ForwardHead(LayerState state, int head, int rows)
    {
        int size = _shape.HeadSize, width = _shape.Hidden, keyWidth = _shape.KeyValueSize, context = _shape.Context;
        var keyOffset = head / (_shape.Heads / _shape.KeyValueHeads) * size;
        var probabilities = state.Probabilities.Pointer + ((nint)head * context * context);
        Gemm.Transpose(rows, size, state.Key.Pointer + keyOffset, keyWidth, _transposed.Pointer, context);
        for (var begin = 0; begin < rows; begin += BlockRows)
        {
            var end = Math.Min(rows, begin + BlockRows);
            var block = probabilities + ((nint)begin * context);
            Gemm.Multiply(end - begin, end, size, state.Query.Pointer + ((nint)begin * width) + (head * size), width, 1, _transposed.Pointer, context, block, context, add: false);
            for (var t = begin; t < end; t++)
            {
                Softmax(new Span<float>(probabilities + ((nint)t * context), end), t + 1);
            }

            Gemm.Multiply(end - begin, size, end, block, context, 1, state.Value.Pointer + keyOffset, keyWidth, state.Attended.Pointer + ((nint)begin * width) + (head * size), width, add: false);
        }
    }

    private void Softmax(Span<float> row, int visible)
    {
        var seen = row[..visible];
        TensorPrimitives.Multiply(seen, Scale, seen);
        TensorPrimitives.Subtract(seen, TensorPrimitives.Max<float>(seen), seen);
        TensorPrimitives.Exp<float>(seen, seen);
        TensorPrimitives.Divide(seen, TensorPrimitives.Sum<float>(seen), seen);
        row[visible..].Clear();
    }

    private void BackwardHead(LayerState state, int head, int rows, FloatMemory dAttended, FloatMemory dQuery, FloatMemory dKey, FloatMemory dValue)
    {
        int size = _shape.HeadSize, width = _shape.Hidden, keyWidth = _shape.KeyValueSize, context = _shape.Context;
        var keyOffset = head / (_shape.Heads / _shape.KeyValueHeads) * size;
        Gemm.Transpose(rows, size, state.Value.Pointer + keyOffset, keyWidth, _transposed.Pointer, context);
        for (var begin = 0; begin < rows; begin += BlockRows)
        {
            var end = Math.Min(rows, begin + BlockRows);
            var count = end - begin;
            var offset = ((nint)begin * width) + (head * size);
            var probabilities = state.Probabilities.Pointer + (((nint)head * context) + begin) * context;
            var dBlock = _dProbabilities.Pointer;
            Gemm.Multiply(end, size, count, probabilities, 1, context, dAttended.Pointer + offset, width, dValue.Pointer + keyOffset, keyWidth, add: true);
            Gemm.Multiply(count, end, size, dAttended.Pointer + offset, width, 1, _transposed.Pointer, context, dBlock, context, add: false);
            for (var t = 0; t < count; t++)
            {
                var p = new ReadOnlySpan<float>(probabilities + ((nint)t * context), end);
                var d = new Span<float>(dBlock + ((nint)t * context), end);
                TensorPrimitives.Subtract(d, TensorPrimitives.Dot(p, d), d);
                TensorPrimitives.Multiply(d, p, d);
                TensorPrimitives.Multiply(d, Scale, d);
            }

            Gemm.Multiply(count, size, end, dBlock, context, 1, state.Key.Pointer + keyOffset, keyWidth, dQuery.Pointer + offset, width, add: false);
            Gemm.Multiply(end, size, count, dBlock, 1, context, state.Query.Pointer + offset, width, dKey.Pointer + keyOffset, keyWidth, add: true);
        }
    }

    /// <summary>Turns every head of every row by its position; backward is the turn the other way.</summary>
    private void Turn(float* values, int heads, int rows, bool forward)
    {
        int size = _shape.HeadSize, half = size / 2;
        for (var t = 0; t < rows; t++)
        {
            for (var h = 0; h < heads; h++, values += size)
            {
                for (var i = 0; i < half; i++)
                {
                    float cosine = _cosines[(t * half) + i], sine = forward ? _sines[(t * half) + i] : -_sines[(t * half) + i];
                    float first = values[i], second = values[i + half];
                    values[i] = (first * cosine) - (second * sine);
                    values[i + half] = (second * cosine) + (first * sine);
                }
            }
        }
    }
}
