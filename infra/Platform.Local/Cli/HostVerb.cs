using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Platform.Jobs;
using Platform.Local.FunctionsHost;

namespace Platform.Local.Cli;

/// <summary><c>platform host</c>: the embedded Functions host alone, for any custom-handler app.</summary>
internal static class HostVerb
{
    public static Command Create()
    {
        var root = new Option<DirectoryInfo>("--app-root") { Description = "Folder with host.json and one folder per function", DefaultValueFactory = _ => new DirectoryInfo(".") };
        var port = new Option<int>("--port", "-p") { Description = "Port to serve; 0 for any free one", DefaultValueFactory = _ => 7071 };
        var address = new Option<string>("--address") { Description = "Address to bind to; keys are enforced on any but loopback", DefaultValueFactory = _ => "127.0.0.1" };
        var enforceKeys = new Option<bool>("--enable-auth") { Description = "Enforce keys on loopback too" };
        var verb = ExampleHelp.Add(new Command("host", "Serve one function app (custom handler), as `func start` does. Queues, timers and keys are kept in the state folder.") { root, port, address, enforceKeys }, "platform host --app-root ./my-functions --port 7071");
        verb.SetAction(async (command, cancellationToken) =>
        {
            InlineSockets.Enable();
            using var loggers = LoggerFactory.Create(logging => logging.AddSimpleConsole(console => console.SingleLine = true).AddFilter("Microsoft", LogLevel.Warning));
            try
            {
                await using var host = await EmbeddedFunctionsHost.StartAsync(
                    new FunctionsHostOptions
                    {
                        AppRoot = command.GetValue(root)!.FullName,
                        Port = command.GetValue(port),
                        Address = command.GetValue(address)!,
                        EnforceKeysOnLoopback = command.GetValue(enforceKeys),
                        StateFolder = Path.Combine(CommonOptions.HomeOf(command).Root, "hosts", new DirectoryInfo(command.GetValue(root)!.FullName).Name),
                        Environment = new Dictionary<string, string>(),
                        HandlerOutput = (line, isError) => (isError ? Console.Error : Console.Out).WriteLine(line),
                    },
                    loggers,
                    cancellationToken);
                Console.WriteLine($"Functions host listens on http://{command.GetValue(address)}:{host.Port}. Ctrl-c stops it.");
                await host.Stopped.WaitAsync(cancellationToken);
                return ExitCodes.Failed;
            }
            catch (FunctionAppException error)
            {
                throw new PlatformException(error.Message, error);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return ExitCodes.Done;
            }
        });
        return verb;
    }
}
