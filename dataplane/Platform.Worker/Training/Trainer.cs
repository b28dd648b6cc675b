using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Platform.Worker.Training;

/// <summary>Trains a small decoder from nothing, on the processor: the reference for what the engine computes, and the maker of the demo model.</summary>
internal sealed class Trainer
{
    private readonly TrainingOptions _options;
    private readonly TimeProvider _clock;
    private readonly Random _random;
    private readonly Parameters _weights;
    private readonly TransposedWeights _transposed;
    private readonly TrainingPass[] _passes;
    private readonly AdamW _optimizer;
    private readonly int _length;
    private int _done;

    public Trainer(TrainingOptions options, TimeProvider clock)
    {
        if (options.Shape.Fault() is { } fault)
        {
            throw new ArgumentException(fault, nameof(options));
        }

        (_options, _clock) = (options, clock);
        _length = options.SequenceLength ?? options.Shape.Context;
        if (options.Batch < 1 || options.Batch % options.Shards != 0 || options.Steps < 1 || _length < 2 || _length > options.Shape.Context)
        {
            throw new ArgumentException($"Steps {options.Steps}, batch {options.Batch} in {options.Shards} shards and sequences of {_length} tokens in a context of {options.Shape.Context} do not go together.", nameof(options));
        }

        _random = new Random(options.Seed);
        _weights = new Parameters(options.Shape);
        _weights.Initialize(_random);
        _transposed = new TransposedWeights(_weights);
        _passes = [.. Enumerable.Range(0, options.Shards).Select(_ => new TrainingPass(options.Shape, _weights, _transposed))];
        _optimizer = new AdamW(options.Shape, _weights);
    }

    /// <summary>The parameters as they are now.</summary>
    public Parameters Weights => _weights;

    /// <summary>Trains on a stream of tokens.</summary>
    /// <param name="tokens">The text; longer than one sequence.</param>
    /// <param name="report">Called now and then, on this thread.</param>
    /// <param name="stepped">Called after every step with its number, on this thread; the state may be saved in it.</param>
    /// <param name="cancellationToken">Gives up between two steps.</param>
    public TrainingResult Run(IReadOnlyList<int> tokens, Action<TrainingProgress> report, Action<int>? stepped = null, CancellationToken cancellationToken = default)
    {
        var text = tokens.ToArray();
        var held = (int)(text.Length * _options.HeldBack);
        held = held > _length ? held : 0;
        var training = text.AsMemory(0, text.Length - held);
        if (training.Length <= _length + 1)
        {
            throw new ArgumentException($"The text has {text.Length} tokens; expected more than the {_length + 1} of one sequence.", nameof(tokens));
        }

        var start = _clock.GetTimestamp();
        var (reportedAt, reportedStep) = (start, 0);
        var last = new List<double>();
        for (var draw = 0L; draw < (long)_done * _options.Batch; draw++)
        {
            // The sequences of the steps that a saved state has behind it: the next ones are those of an unbroken run.
            _random.Next(training.Length - _length);
        }

        reportedStep = _done;
        for (var step = _done + 1; step <= _options.Steps; step++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var rate = LearningRateAt(step);
            var (loss, norm) = Step(training, rate);
            _done = step;
            stepped?.Invoke(step);
            if (step > _options.Steps * 0.95)
            {
                last.Add(loss);
            }

            if (step == 1 || step == _options.Steps || _clock.GetElapsedTime(reportedAt) > TimeSpan.FromSeconds(5))
            {
                var elapsed = _clock.GetElapsedTime(reportedAt).TotalSeconds;
                report(new TrainingProgress(step, loss, (step - reportedStep) * (double)_options.Batch * _length / Math.Max(elapsed, 1e-9), rate, norm));
                (reportedAt, reportedStep) = (_clock.GetTimestamp(), step);
            }
        }

        return new TrainingResult(_weights, last.Count == 0 ? double.NaN : last.Average(), held == 0 ? null : Evaluate(text.AsSpan(text.Length - held)), (long)_options.Steps * _options.Batch * _length, _clock.GetElapsedTime(start));
    }

    /// <summary>Writes all that a later run needs to go on: steps done, parameters, moments of the optimizer.</summary>
    public void Save(Stream stream)
    {
        using var writer = new BinaryWriter(stream, System.Text.Encoding.UTF8, leaveOpen: true);
        writer.Write(_done);
        foreach (var parameter in State())
        {
            writer.Write(MemoryMarshal.AsBytes(parameter.Values.Span));
        }
    }

    /// <summary>Takes a state that <see cref="Save"/> wrote with the same options. <see cref="Run"/> goes on after its last step and comes to the same model as an unbroken run.</summary>
    /// <returns>Steps done.</returns>
    /// <exception cref="EndOfStreamException">It is shorter than these options need.</exception>
    public int Restore(Stream stream)
    {
        Span<byte> step = stackalloc byte[sizeof(int)];
        stream.ReadExactly(step);
        foreach (var parameter in State())
        {
            stream.ReadExactly(MemoryMarshal.AsBytes(parameter.Values.Span));
        }

        _done = BinaryPrimitives.ReadInt32LittleEndian(step);
        _optimizer.StepsDone = _done;
        return _done;
    }

    private IEnumerable<Parameter> State() => _weights.All.Concat(_optimizer.Moments);

    /// <summary>Mean loss over a text, cut into sequences; nats per token.</summary>
    public double Evaluate(ReadOnlySpan<int> tokens)
    {
        _transposed.Update();
        var (loss, count) = (0.0, 0);
        for (var begin = 0; begin + _length + 1 <= tokens.Length; begin += _length)
        {
            loss += _passes[0].Forward(tokens.Slice(begin, _length + 1));
            count += _length;
        }

        return loss / count;
    }

    private (double Loss, double Norm) Step(ReadOnlyMemory<int> text, double rate)
    {
        var begins = Enumerable.Range(0, _options.Batch).Select(_ => _random.Next(text.Length - _length)).ToArray();
        _transposed.Update();
        var perShard = _options.Batch / _passes.Length;
        var losses = new double[_passes.Length];
        var scale = 1f / (_options.Batch * _length);
        void RunShard(int shard)
        {
            var pass = _passes[shard];
            pass.Gradients.Clear();
            for (var i = 0; i < perShard; i++)
            {
                var sequence = text.Span.Slice(begins[(shard * perShard) + i], _length + 1);
                losses[shard] += pass.Forward(sequence);
                pass.Backward(sequence, scale);
            }
        }

        if (_options.Threads == 1)
        {
            for (var shard = 0; shard < _passes.Length; shard++)
            {
                RunShard(shard);
            }
        }
        else
        {
            Parallel.For(0, _passes.Length, new ParallelOptions { MaxDegreeOfParallelism = _options.Threads }, RunShard);
        }

        var sum = _passes[0].Gradients;
        foreach (var pass in _passes.Skip(1))
        {
            for (var i = 0; i < sum.All.Count; i++)
            {
                System.Numerics.Tensors.TensorPrimitives.Add(sum.All[i].Values.Span, pass.Gradients.All[i].Values.Span, sum.All[i].Values.Span);
            }
        }

        return (losses.Sum() / (_options.Batch * _length), _optimizer.Step(sum, rate));
    }

    private double LearningRateAt(int step)
    {
        var warmUp = Math.Max(1, _options.Steps / 20);
        if (step <= warmUp)
        {
            return _options.LearningRate * step / warmUp;
        }

        var done = (step - warmUp) / (double)Math.Max(1, _options.Steps - warmUp);
        return _options.LearningRate * (0.05 + (0.95 * (0.5 + (0.5 * Math.Cos(Math.PI * done)))));
    }
}
