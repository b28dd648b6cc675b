using System.CommandLine;
using Platform.DataPlane;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary>The <c>platform</c> command: its verbs, and how an error becomes a line and an exit code.</summary>
internal static class RootVerb
{
    private const string Description = """
        Serverless functions for GPU work: HTTP and queue triggers, Dapr dispatch, an NVMe tier near the GPU.

        Exit codes: 0 done, 1 failed, 2 wrong command line, 3 no platform answers, 4 no such model, job or key.
        """;

    public static async Task<int> RunAsync(string[] args)
    {
        AnsiConsole.Console = Terminal.Output();
        var root = new RootCommand(Description)
        {
            UpVerb.Create(), DemoVerb.Create(), StatusVerb.Create(), ModelsVerb.Create(), InferVerb.Create(),
            JobsVerb.Create(), UsageVerb.Create(), TierVerb.Create(), QueueVerb.Create(), SidecarVerb.Create(), HostVerb.Create(),
        };
        root.Options.Add(CommonOptions.Home);
        root.Options.Add(CommonOptions.Url);
        ExampleHelp.Add(
            root,
            "platform demo                                   the whole idea on this machine, in a minute",
            "platform up                                     start the platform of ./dapr.yaml",
            "platform models push ./my-model                 publish a model folder (Hugging Face layout)",
            "platform infer -m my-model \"Once upon a time\"   stream a completion",
            "platform jobs submit job.json --wait            run a batch job");
        ExampleHelp.Install(root);

        var command = root.Parse(args);
        if (command.Errors.Count > 0)
        {
            foreach (var error in command.Errors)
            {
                await Console.Error.WriteLineAsync(error.Message);
            }

            await Console.Error.WriteLineAsync($"Try `platform {string.Join(' ', args.TakeWhile(arg => !arg.StartsWith('-')).Append("--help"))}`.");
            return ExitCodes.Usage;
        }

        try
        {
            return await command.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (PlatformException error)
        {
            await Console.Error.WriteLineAsync("platform: " + error.Message);
            return error.ExitCode;
        }
        catch (Exception error) when (error is StorageException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync("platform: " + error.Message);
            return ExitCodes.Failed;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("platform: stopped.");
            return ExitCodes.Failed;
        }
    }
}
