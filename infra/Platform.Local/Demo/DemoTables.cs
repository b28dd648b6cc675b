using Platform.Jobs;
using Platform.Local.Cli;
using Spectre.Console;

namespace Platform.Local.Demo;

/// <summary>The tables that the demo shows.</summary>
internal static class DemoTables
{
    /// <summary>Where the time went and which tier the bytes came from, cold beside warm.</summary>
    public static Table Phases(CompletionReport cold, CompletionReport warm)
    {
        var table = new Table().RoundedBorder().AddColumn("").AddColumn(new TableColumn("cold").RightAligned()).AddColumn(new TableColumn("warm").RightAligned());
        foreach (var phase in ServerTiming.Phases)
        {
            table.AddRow(phase, Quantity.Milliseconds(cold.Phases.GetValueOrDefault(phase)), Quantity.Milliseconds(warm.Phases.GetValueOrDefault(phase)));
        }

        table.AddRow("to the last token", Quantity.Milliseconds(cold.Total), Quantity.Milliseconds(warm.Total));
        table.AddRow("tokens", cold.Tokens.ToString(), warm.Tokens.ToString());
        table.AddRow("from object storage", Quantity.Bytes(cold.ObjectStoreBytes), Quantity.Bytes(warm.ObjectStoreBytes));
        table.AddRow("from the NVMe tier", Quantity.Bytes(cold.NvmeBytes), Quantity.Bytes(warm.NvmeBytes));
        table.AddRow("worker", cold.Worker, warm.Worker);
        return table;
    }
}
