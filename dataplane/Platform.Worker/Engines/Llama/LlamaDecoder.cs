using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Platform.Worker.Engines.Kernels;

namespace Platform.Worker.Engines.Llama;

/// <summary>One token of one text that goes through the model in a step.</summary>
/// <param name="Token">Token id.</param>
/// <param name="Position">Its place in the text, from 0.</param>
/// <param name="Cache">Keys and values of the text's earlier tokens; receives this one's.</param>
/// <param name="WantsLogits">True: the logits after this token are asked for.</param>
internal readonly record struct StepRow(int Token, int Position, KeyValueCache Cache, bool WantsLogits);

/// <summary>The forward pass: rows of tokens, of one text or of many, go through all layers together, so that each weight is read once per step.</summary>
/// <remarks>What a row computes does not depend on the other rows. Not for more than one thread at a time. Its loops are compiled at full optimisation at once: a worker that starts for one call would otherwise
/// make its first tokens with unoptimised code.</remarks>
internal sealed unsafe class LlamaDecoder : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly LlamaWeights _weights;
    private readonly Kernel _kernel;
    private readonly ThreadTeam _team;
    private readonly Rope _rope;
    private readonly float[] _cosines;
    private readonly float[] _sines;
    private readonly float* _memory;
    private readonly float* _stream;
    private readonly float* _normed;
    private readonly float* _query;
    private readonly float* _key;
    private readonly float* _value;
    private readonly float* _attended;
    private readonly float* _gate;
    private readonly float* _up;
    private readonly float* _projected;
    private readonly float* _scores;
    private readonly float* _logits;

    /// <param name="config">The model.</param>
    /// <param name="weights">Its weights, which may still be arriving.</param>
    /// <param name="kernel">The loops.</param>
    /// <param name="team">Threads to share them.</param>
    /// <param name="maxRows">Rows in a step at most.</param>
    /// <param name="maxLogits">Rows that want logits in a step at most.</param>
    public LlamaDecoder(LlamaConfig config, LlamaWeights weights, Kernel kernel, ThreadTeam team, int maxRows, int maxLogits)
    {
        (_config, _weights, _kernel, _team, MaxRows, MaxLogits) = (config, weights, kernel, team, maxRows, maxLogits);
        _rope = new Rope(config);
        _cosines = new float[maxRows * config.HeadSize / 2];
        _sines = new float[maxRows * config.HeadSize / 2];
        var lengths = new long[]
        {
            (long)maxRows * config.HiddenSize,
            (long)maxRows * config.HiddenSize,
            (long)maxRows * config.QuerySize,
            (long)maxRows * config.KeyValueSize,
            (long)maxRows * config.KeyValueSize,
            (long)maxRows * config.QuerySize,
            (long)maxRows * config.IntermediateSize,
            (long)maxRows * config.IntermediateSize,
            (long)maxRows * config.HiddenSize,
            (long)team.ThreadCount * config.HeadCount / config.KeyValueHeadCount * config.ContextLength,
            (long)maxLogits * config.VocabularySize,
        };
        for (var i = 0; i < lengths.Length; i++)
        {
            lengths[i] = (lengths[i] + 15) & ~15L;
        }

        _memory = (float*)NativeMemory.AlignedAlloc((nuint)lengths.Sum() * sizeof(float), 64);
        var next = _memory;
        float* Take(int index)
        {
            var taken = next;
            next += lengths[index];
            return taken;
        }

        _stream = Take(0);
        _normed = Take(1);
        _query = Take(2);
        _key = Take(3);
        _value = Take(4);
        _attended = Take(5);
        _gate = Take(6);
        _up = Take(7);
        _projected = Take(8);
        _scores = Take(9);
        _logits = Take(10);
    }

    public int MaxRows { get; }

    public int MaxLogits { get; }

    /// <summary>Logits of the n-th row that wanted them in the latest step; writable, valid until the next.</summary>
    public Span<float> Logits(int index) => new(_logits + ((long)index * _config.VocabularySize), _config.VocabularySize);

    /// <summary>Runs one step. Waits for weights that are still on their way.</summary>
    public void Step(ReadOnlySpan<StepRow> rows)
    {
        Embed(rows);
        Span<float> cosines = _cosines, sines = _sines;
        var half = _config.HeadSize / 2;
        for (var r = 0; r < rows.Length; r++)
        {
            _rope.Angles(rows[r].Position, cosines.Slice(r * half, half), sines.Slice(r * half, half));
        }

        var copy = rows.ToArray();
        for (var i = 0; i < _config.LayerCount; i++)
        {
            RunLayer(i, _weights.Layer(i).GetAwaiter().GetResult(), copy);
        }

        ComputeLogits(_weights.Head.GetAwaiter().GetResult(), rows);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Embed(ReadOnlySpan<StepRow> rows)
    {
        var table = _weights.Embedding.GetAwaiter().GetResult();
        for (var r = 0; r < rows.Length; r++)
        {
            var target = _stream + ((nint)r * _config.HiddenSize);
            var at = (nint)rows[r].Token * _config.HiddenSize;
            for (var c = 0; c < _config.HiddenSize; c++)
            {
                target[c] = table.IsBf16 ? Bf16.ToSingle(((ushort*)table.Data)[at + c]) : ((float*)table.Data)[at + c];
            }
        }
    }

    private void RunLayer(int index, LlamaLayer layer, StepRow[] rows)
    {
        Normalize(_stream, layer.AttentionNorm, rows.Length);
        Project(_normed, layer.Query, layer.QueryBias, rows.Length, _query);
        Project(_normed, layer.Key, layer.KeyBias, rows.Length, _key);
        Project(_normed, layer.Value, layer.ValueBias, rows.Length, _value);
        TurnAndKeep(index, rows);
        Attend(index, rows);
        Project(_attended, layer.Output, layer.OutputBias, rows.Length, _projected);
        Add(_stream, _projected, rows.Length * _config.HiddenSize);

        Normalize(_stream, layer.MlpNorm, rows.Length);
        Project(_normed, layer.Gate, layer.GateBias, rows.Length, _gate);
        Project(_normed, layer.Up, layer.UpBias, rows.Length, _up);
        GateBySilu(rows.Length);
        Project(_gate, layer.Down, layer.DownBias, rows.Length, _projected);
        Add(_stream, _projected, rows.Length * _config.HiddenSize);
    }

    private void Project(float* x, Matrix weights, float[]? bias, int rows, float* y)
    {
        _team.Run(weights.Rows, weights.LengthBytes, (begin, end) =>
            _kernel.Multiply(weights.Data, weights.IsBf16, weights.Columns, x, rows, y, weights.Rows, begin, end));
        for (var r = 0; bias is not null && r < rows; r++)
        {
            for (var o = 0; o < bias.Length; o++)
            {
                y[((nint)r * bias.Length) + o] += bias[o];
            }
        }
    }

    /// <summary>RMSNorm (Zhang and Sennrich 2019).</summary>
    private void Normalize(float* x, float[] weight, int rows)
    {
        for (var r = 0; r < rows; r++)
        {
            NormalizeRow(x + ((nint)r * weight.Length), weight, _normed + ((nint)r * weight.Length));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void NormalizeRow(float* x, float[] weight, float* target)
    {
        var scale = 1 / MathF.Sqrt((_kernel.Dot(x, x, weight.Length) / weight.Length) + _config.NormEpsilon);
        for (var c = 0; c < weight.Length; c++)
        {
            target[c] = x[c] * scale * weight[c];
        }
    }

    /// <summary>Turns queries and keys by their positions and puts keys and values where later tokens find them.</summary>
    private void TurnAndKeep(int layer, StepRow[] rows)
    {
        int size = _config.HeadSize, half = size / 2;
        for (var r = 0; r < rows.Length; r++)
        {
            var cosines = _cosines.AsSpan(r * half, half);
            var sines = _sines.AsSpan(r * half, half);
            for (var h = 0; h < _config.HeadCount; h++)
            {
                Rope.Turn(_query + ((nint)r * _config.QuerySize) + (h * size), cosines, sines);
            }

            for (var h = 0; h < _config.KeyValueHeadCount; h++)
            {
                var key = _key + ((nint)r * _config.KeyValueSize) + (h * size);
                Rope.Turn(key, cosines, sines);
                var at = (nint)rows[r].Position * size;
                new ReadOnlySpan<float>(key, size).CopyTo(new Span<float>(rows[r].Cache.Keys(layer, h) + at, size));
                new ReadOnlySpan<float>(_value + ((nint)r * _config.KeyValueSize) + (h * size), size).CopyTo(new Span<float>(rows[r].Cache.Values(layer, h) + at, size));
            }
        }
    }

    private void Attend(int layer, StepRow[] rows)
    {
        var heads = _config.KeyValueHeadCount;
        var tasks = rows.Length * heads;
        var work = rows.Sum(row => (long)row.Position) * _config.QuerySize;
        _team.Run(tasks, work, (begin, end) =>
        {
            // The ranges of a team are disjoint, so the first index of a range names its scratch memory.
            var scratch = _scores + ((nint)((long)begin * _team.ThreadCount / tasks) * (_config.HeadCount / heads) * _config.ContextLength);
            for (var i = begin; i < end; i++)
            {
                AttendOne(layer, rows[i / heads], i / heads, i % heads, scratch);
            }
        });
    }

    /// <summary>The query heads that share one key head, for one row.</summary>
    private void AttendOne(int layer, StepRow row, int r, int keyHead, float* scores)
    {
        int size = _config.HeadSize, group = _config.HeadCount / _config.KeyValueHeadCount;
        var first = _config.WindowOf(layer) is { } window ? Math.Max(0, row.Position - window + 1) : 0;
        var count = row.Position - first + 1;
        var queries = _query + ((nint)r * _config.QuerySize) + ((nint)keyHead * group * size);
        var keys = row.Cache.Keys(layer, keyHead) + ((nint)first * size);
        var values = row.Cache.Values(layer, keyHead) + ((nint)first * size);
        _kernel.Multiply((byte*)keys, false, size, queries, group, scores, count, 0, count);
        for (var g = 0; g < group; g++)
        {
            var weights = scores + ((nint)g * count);
            Softmax(weights, count, 1 / MathF.Sqrt(size));
            _kernel.WeightedSum(values, weights, count, size, _attended + ((nint)r * _config.QuerySize) + (((keyHead * group) + g) * size));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax(float* scores, int count, float scale)
    {
        var largest = float.NegativeInfinity;
        for (var i = 0; i < count; i++)
        {
            largest = Math.Max(largest, scores[i]);
        }

        var sum = 0f;
        for (var i = 0; i < count; i++)
        {
            scores[i] = MathF.Exp((scores[i] - largest) * scale);
            sum += scores[i];
        }

        for (var i = 0; i < count; i++)
        {
            scores[i] /= sum;
        }
    }

    /// <summary>SwiGLU (Shazeer 2020): gate = silu(gate) * up.</summary>
    private void GateBySilu(int rows)
    {
        var width = _config.IntermediateSize;
        _team.Run(rows * width, (long)rows * width * 16, (begin, end) => GateBySilu(_gate, _up, begin, end));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GateBySilu(float* gate, float* up, int begin, int end)
    {
        for (var i = begin; i < end; i++)
        {
            gate[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(float* target, float* source, int length)
    {
        for (var i = 0; i < length; i++)
        {
            target[i] += source[i];
        }
    }

    private void ComputeLogits(LlamaHead head, ReadOnlySpan<StepRow> rows)
    {
        var wanted = 0;
        for (var r = 0; r < rows.Length; r++)
        {
            if (rows[r].WantsLogits)
            {
                NormalizeRow(_stream + ((nint)r * _config.HiddenSize), head.Norm, _normed + ((nint)wanted * _config.HiddenSize));
                wanted++;
            }
        }

        if (wanted > 0)
        {
            Project(_normed, head.Output, null, wanted, _logits);
        }
    }
}
