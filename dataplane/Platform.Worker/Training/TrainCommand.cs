using System.CommandLine;
using System.Globalization;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Training;

/// <summary>The verb <c>train</c>: a text in, a model folder out.</summary>
internal static class TrainCommand
{
    /// <summary>Parses the verb's arguments and trains.</summary>
    /// <returns>The exit code: 0 when the model is written, 1 for bad arguments or an unusable text.</returns>
    public static Task<int> RunAsync(string[] args)
    {
        var text = new Option<FileInfo>("--text") { Description = $"Text to learn, UTF-8, with {BpeTrainer.EndOfText} between its parts.", Required = true };
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder for config.json, tokenizer.json and model.safetensors.", Required = true };
        Option<int> Number(string name, int value, string description) => new(name) { Description = description, DefaultValueFactory = _ => value };
        var shape = new TrainingShape();
        var options = new TrainingOptions();
        var steps = Number("--steps", options.Steps, "Optimizer steps.");
        var batch = Number("--batch", options.Batch, "Sequences per step.");
        var sequence = Number("--sequence", shape.Context, "Tokens per sequence.");
        var seed = Number("--seed", options.Seed, "Same seed and options, same model.");
        var threads = Number("--threads", options.Threads, "Threads, at most 2 are used; no influence on the model.");
        var hidden = Number("--hidden", shape.Hidden, "Width of the model.");
        var inner = Number("--intermediate", shape.Intermediate, "Width of the feed-forward blocks.");
        var layers = Number("--layers", shape.Layers, "Blocks.");
        var heads = Number("--heads", shape.Heads, "Query heads.");
        var keyHeads = Number("--key-value-heads", shape.KeyValueHeads, "Key and value heads.");
        var vocabulary = Number("--vocabulary", shape.Vocabulary, "Tokens of the vocabulary to learn.");
        var context = Number("--context", shape.Context, "Context of the model.");
        var rate = new Option<double>("--learning-rate") { Description = "Largest learning rate.", DefaultValueFactory = _ => options.LearningRate };
        var command = new RootCommand("Trains a small Llama-format model on a text.\n\nExample: train --text stories.txt --out model --steps 500")
        {
            text, output, steps, batch, sequence, seed, threads, hidden, inner, layers, heads, keyHeads, vocabulary, context, rate,
        };
        command.SetAction((parsed, cancellationToken) => TrainAsync(
            parsed.GetValue(text)!,
            parsed.GetValue(output)!,
            options with
            {
                Steps = parsed.GetValue(steps),
                Batch = parsed.GetValue(batch),
                SequenceLength = parsed.GetValue(sequence),
                Seed = parsed.GetValue(seed),
                Threads = Math.Max(1, parsed.GetValue(threads)),
                LearningRate = parsed.GetValue(rate),
                Shape = shape with
                {
                    Hidden = parsed.GetValue(hidden),
                    Intermediate = parsed.GetValue(inner),
                    Layers = parsed.GetValue(layers),
                    Heads = parsed.GetValue(heads),
                    KeyValueHeads = parsed.GetValue(keyHeads),
                    Vocabulary = parsed.GetValue(vocabulary),
                    Context = parsed.GetValue(context),
                },
            },
            cancellationToken));
        return command.Parse(args).InvokeAsync();
    }

    private static async Task<int> TrainAsync(FileInfo text, DirectoryInfo output, TrainingOptions options, CancellationToken cancellationToken)
    {
        if (!text.Exists)
        {
            await Console.Error.WriteLineAsync($"There is no file '{text.FullName}'; expected a text to learn.");
            return 1;
        }

        try
        {
            await TrainAsync(await File.ReadAllTextAsync(text.FullName, cancellationToken), output, options, cancellationToken);
            return 0;
        }
        catch (ArgumentException error)
        {
            await Console.Error.WriteLineAsync(error.Message);
            return 1;
        }
    }

    private static async Task TrainAsync(string text, DirectoryInfo output, TrainingOptions options, CancellationToken cancellationToken)
    {
        if (options.Shape.Fault() is { } fault)
        {
            throw new ArgumentException(fault);
        }

        var vocabulary = BpeTrainer.Train(text, options.Shape.Vocabulary);
        options = options with { Shape = options.Shape with { Vocabulary = vocabulary.Size } };
        var tokenizerJson = ModelFiles.Tokenizer(vocabulary);
        var tokens = TokenizerFile.Parse(tokenizerJson).Encode(text);
        Say($"{text.Length} characters, {tokens.Count} tokens of a vocabulary of {vocabulary.Size}");

        var trainer = new Trainer(options, TimeProvider.System);
        Say($"{trainer.Weights.Count} parameters, {options.Steps} steps of {options.Batch} x {options.SequenceLength} tokens");
        var result = trainer.Run(tokens, progress => Say(string.Create(CultureInfo.InvariantCulture, $"step {progress.Step,5}  loss {progress.Loss:0.0000}  {progress.TokensPerSecond,7:0} tokens/s  rate {progress.LearningRate:0.00000}  gradient {progress.GradientNorm:0.00}")), cancellationToken: cancellationToken);

        output.Create();
        await File.WriteAllBytesAsync(Path.Combine(output.FullName, "config.json"), ModelFiles.Config(options.Shape, vocabulary.EndOfTextId), cancellationToken);
        await File.WriteAllBytesAsync(Path.Combine(output.FullName, "tokenizer.json"), tokenizerJson, cancellationToken);
        await using (var file = File.Create(Path.Combine(output.FullName, "model.safetensors")))
        {
            await ModelFiles.WriteWeightsAsync(file, result.Weights, new Dictionary<string, string> { ["format"] = "pt" }, cancellationToken);
        }

        Say(string.Create(CultureInfo.InvariantCulture, $"loss {result.TrainingLoss:0.0000} in training, {(result.HeldBackLoss is { } held ? held.ToString("0.0000", CultureInfo.InvariantCulture) + " on text held back" : "too little text to hold any back")}; {result.Tokens} tokens in {result.Duration.TotalSeconds:0} s"));
    }

    private static void Say(string line) => Console.WriteLine(line);
}
