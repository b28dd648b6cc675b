using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform models</c>: publish, list, remove, warm models and put them to sleep.</summary>
internal static class ModelsVerb
{
    public static Command Create() => new("models", "Publish, list, remove, warm models and put them to sleep.") { Push(), List(), Remove(), Warm(), Sleep() };

    private static Command Push()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "Folder in Hugging Face layout: config.json, tokenizer.json, *.safetensors" };
        var name = new Option<string?>("--name", "-n") { Description = $"Name of the model (default: the folder's); {Names.ModelRule}" };
        var verb = ExampleHelp.Add(new Command("push", "Check a model folder, copy it into object storage, and publish it.") { folder, name, CommonOptions.Json }, "platform models push infra/demo-model/model --name demo");
        verb.SetAction(async (command, cancellationToken) =>
        {
            var source = ModelFolder.Open(command.GetValue(folder)!.FullName, command.GetValue(name));
            using var client = CommonOptions.Connect(command);
            var json = command.GetValue(CommonOptions.Json);
            var manifest = await ModelPublisher.PublishAsync(source, CommonOptions.HomeOf(command), client, CommonOptions.ConsoleFor(json), cancellationToken);
            Console.WriteLine(json ? JsonSerializer.Serialize(manifest, JobsJson.Default.ModelManifest) : $"Published {manifest.Name}: {manifest.Files.Count} files, {Quantity.Bytes(manifest.LengthBytes)}.");
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command List()
    {
        var verb = ExampleHelp.Add(new Command("ls", "List the published models and where they are warm.") { CommonOptions.Json }, "platform models ls --json");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var models = await client.ListModelsAsync(cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(models, JobsJson.Default.ListModelStatus));
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("model", "size", "files", "published", "nodes");
            foreach (var (manifest, nodes) in models)
            {
                table.AddRow(
                    manifest.Name,
                    Quantity.Bytes(manifest.LengthBytes),
                    manifest.Files.Count.ToString(),
                    manifest.PublishedAt is { } at ? Quantity.Ago(at, TimeProvider.System) : "",
                    string.Join(", ", nodes.Select(node => $"{node.Key} ({node.Value.ToString().ToLowerInvariant()})")));
            }

            AnsiConsole.Write(table);
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Remove()
    {
        var name = new Argument<string>("model") { Description = "Name of the model" };
        var verb = ExampleHelp.Add(new Command("rm", "Remove a model: from memory, from every NVMe tier, and from object storage.") { name }, "platform models rm demo");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var model = command.GetValue(name)!;
            await client.RemoveModelAsync(model, cancellationToken);
            await ModelPublisher.RemoveObjectsAsync(model, CommonOptions.HomeOf(command), cancellationToken);
            Console.WriteLine($"Removed {model}.");
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Warm()
    {
        var name = new Argument<string>("model") { Description = "Name of the model" };
        var verb = ExampleHelp.Add(new Command("warm", "Load a model on a node now, so that the next call finds it ready.") { name }, "platform models warm demo");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            await client.WarmModelAsync(command.GetValue(name)!, cancellationToken);
            Console.WriteLine($"{command.GetValue(name)} is ready.");
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Sleep()
    {
        var name = new Argument<string>("model") { Description = "Name of the model" };
        var level = new Option<string>("--level") { Description = "host: its weights stay in host memory; process: on NVMe alone", DefaultValueFactory = static _ => "host" };
        level.AcceptOnlyFromAmong("host", "process");
        var verb = ExampleHelp.Add(new Command("sleep", "Take a model off the devices of all nodes; the next call wakes it.") { name, level }, "platform models sleep demo --level process");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            await client.SleepModelAsync(command.GetValue(name)!, command.GetValue(level)!, cancellationToken);
            Console.WriteLine($"{command.GetValue(name)} sleeps.");
            return ExitCodes.Done;
        });
        return verb;
    }
}
