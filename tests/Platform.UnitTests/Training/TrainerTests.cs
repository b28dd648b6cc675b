using Platform.DataPlane.Weights;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Llama;
using Platform.Worker.Engines.Tokenizers;
using Platform.Worker.Training;
using ModelFiles = Platform.Worker.Training.ModelFiles;

namespace Platform.UnitTests.Training;

public sealed class TrainerTests
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 200).Select(i => $"the {(i % 2 == 0 ? "cat" : "dog")} sat on the mat. {BpeTrainer.EndOfText}"));

    [Fact]
    public async Task Run_ShortText_LearnsItAndTheEngineWritesItOn()
    {
        var (vocabulary, result) = Train(seed: 1, threads: 1);
        var tokenizer = ModelFiles.Tokenizer(vocabulary);
        var config = ModelFiles.Config(ShapeFor(vocabulary), vocabulary.EndOfTextId);
        await using var source = InMemoryTensors.From([.. result.Weights.All.Select(ModelFiles.ToBf16)]);
        await using var engine = await LlamaEngine.LoadAsync(config, tokenizer, source, TestContext.Current.CancellationToken);

        var made = await engine.GenerateAsync(new GenerationRequest { Prompt = "the cat", MaxTokens = 30 }, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        Assert.True(result.TrainingLoss < 0.3, $"loss {result.TrainingLoss}");
        Assert.Equal(" sat on the mat. ", string.Concat(made.Select(token => token.Text)));
        Assert.Equal(FinishReason.Stop, made[^1].Finish);
    }

    [Fact]
    public void Run_SameSeed_GivesTheSameBits_WhateverTheThreads()
    {
        var (_, one) = Train(seed: 1, threads: 1, steps: 5);
        var (_, two) = Train(seed: 1, threads: 2, steps: 5);
        var (_, other) = Train(seed: 2, threads: 1, steps: 5);

        Assert.Equal(Bits(one), Bits(two));
        Assert.NotEqual(Bits(one), Bits(other));
    }

    [Fact]
    public async Task Evaluate_TrainedWeights_AgreeWithTheEnginesProbabilities()
    {
        var (vocabulary, result) = Train(seed: 1, threads: 1, steps: 30);
        var tokenizer = TokenizerFile.Parse(ModelFiles.Tokenizer(vocabulary));
        // The same tensors in floats, so that only the two implementations differ.
        var tensors = result.Weights.All.Select(parameter => new TensorBytes(parameter.Name, TensorType.F32, parameter.Rows == 1 ? [parameter.Columns] : [parameter.Rows, parameter.Columns], System.Runtime.InteropServices.MemoryMarshal.AsBytes(parameter.Values.Span).ToArray())).ToList();
        await using var source = InMemoryTensors.From(tensors);
        await using var engine = await LlamaEngine.LoadAsync(ModelFiles.Config(ShapeFor(vocabulary), vocabulary.EndOfTextId), ModelFiles.Tokenizer(vocabulary), source, TestContext.Current.CancellationToken);
        var made = await engine.GenerateAsync(new GenerationRequest { Prompt = "the dog", MaxTokens = 12, Temperature = 1, Seed = 3, Logprobs = 0 }, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
        int[] tokens = [.. tokenizer.Encode("the dog"), .. made.Select(token => token.Id)];

        var transposed = new TransposedWeights(result.Weights);
        transposed.Update();
        var pass = new TrainingPass(ShapeFor(vocabulary), result.Weights, transposed);
        var loss = pass.Forward(tokens) - pass.Forward(tokens.AsSpan(0, tokens.Length - made.Count));

        Assert.Equal(-made.Sum(token => (double)token.Logprobs![0].Chosen.Logprob), loss, 1e-2);
    }

    [Fact]
    public void Train_Vocabulary_JoinsWhatOccursOftenAndEncodesEverything()
    {
        var vocabulary = BpeTrainer.Train(Text, 280);
        var tokenizer = TokenizerFile.Parse(ModelFiles.Tokenizer(vocabulary));

        Assert.True(vocabulary.Size <= 280);
        Assert.Contains(" the", vocabulary.Entries.Select(System.Text.Encoding.UTF8.GetString));
        Assert.Equal(vocabulary.EndOfTextId, tokenizer.IdOf(BpeTrainer.EndOfText));
        Assert.Equal([vocabulary.EndOfTextId, .. tokenizer.Encode("the", false)], tokenizer.Encode("the"));
        Assert.Equal("żółw 🐢 \0", tokenizer.Decode(tokenizer.Encode("żółw 🐢 \0")));
    }

    private static TrainingShape ShapeFor(LearnedVocabulary vocabulary) => new() { Hidden = 32, Intermediate = 64, Layers = 2, Heads = 4, KeyValueHeads = 2, Vocabulary = vocabulary.Size, Context = 64 };

    private static (LearnedVocabulary Vocabulary, TrainingResult Result) Train(int seed, int threads, int steps = 120)
    {
        var vocabulary = BpeTrainer.Train(Text, 280);
        var tokens = TokenizerFile.Parse(ModelFiles.Tokenizer(vocabulary)).Encode(Text);
        var options = new TrainingOptions { Shape = ShapeFor(vocabulary), Steps = steps, Batch = 4, SequenceLength = 32, LearningRate = 1e-2, Seed = seed, Threads = threads };
        return (vocabulary, new Trainer(options, TimeProvider.System).Run(tokens, _ => { }, cancellationToken: TestContext.Current.CancellationToken));
    }

    private static uint[] Bits(TrainingResult result) => [.. result.Weights.All.SelectMany(parameter => parameter.Values.Span.ToArray()).Select(BitConverter.SingleToUInt32Bits)];
}
