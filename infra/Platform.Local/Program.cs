return await Platform.Local.Cli.RootVerb.RunAsync(args);
