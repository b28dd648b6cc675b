using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform status</c>: the nodes, what they hold and do.</summary>
internal static class StatusVerb
{
    public static Command Create()
    {
        var verb = ExampleHelp.Add(new Command("status", "Show the nodes: alive or not, memory, models, work in flight, NVMe tier.") { CommonOptions.Json }, "platform status --json");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var status = await client.GetStatusAsync(cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(status, JobsJson.Default.PlatformStatus));
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("node", "pid", "alive", "device", "memory free", "NVMe tier", "in flight", "jobs", "models");
            foreach (var (heartbeat, _, alive) in status.Nodes)
            {
                table.AddRow(
                    heartbeat.Worker,
                    heartbeat.ProcessId.ToString(),
                    alive ? heartbeat.Draining ? "draining" : "yes" : "no",
                    Markup.Escape(heartbeat.Device),
                    $"{Quantity.Bytes(heartbeat.DeviceFreeBytes)} of {Quantity.Bytes(heartbeat.DeviceCapacityBytes)}",
                    $"{Quantity.Bytes(heartbeat.TierBytes)} of {Quantity.Bytes(heartbeat.TierLimitBytes)}",
                    heartbeat.InFlight.ToString(),
                    $"{heartbeat.RunningJobs} of {heartbeat.MaxJobs}",
                    Markup.Escape(string.Join(", ", heartbeat.Models.Select(model => $"{model.Key} ({model.Value.ToString().ToLowerInvariant()})"))));
            }

            AnsiConsole.Write(table);
            if (!status.ControlReachable)
            {
                Console.Error.WriteLine(status.TableAgeSeconds is { } age
                    ? $"Control does not answer; the nodes are shown as they were {age:0.0} s ago."
                    : "Control does not answer, and no node was ever heard of. Look into the log of 'control'.");
            }

            return ExitCodes.Done;
        });
        return verb;
    }
}
