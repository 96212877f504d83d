# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ipvsd_global_optspecs
    string join \n c/config= state-dir= environment= color= h/help V/version
end

function __fish_ipvsd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ipvsd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ipvsd_using_subcommand
    set -l cmd (__fish_ipvsd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ipvsd -n "__fish_ipvsd_needs_command" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_needs_command" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_needs_command" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_needs_command" -s h -l help -d 'Print help'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -s V -l version -d 'Print version'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "check" -d 'Check configuration files, and list everything that is wrong with them'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "plan" -d 'Show what `apply` would do; exit code 2 if there is anything'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "diff" -d 'Compare two configurations: what would change from the first to the second; exit code 2 if there is anything'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "apply" -d 'Make the kernel\'s table as the configuration says, once'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "run" -d 'Keep the kernel\'s table as the configuration says'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "show" -d 'Show the live table, with counters, rates, what is owned, and how well it is'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "top" -d 'A page of the terminal that follows the table: rates, connections, health and drains; `?` there shows its keys'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "explain" -d 'Say in a paragraph why the weight of a destination is what it is'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "drain" -d 'Take new connections away from a destination, and let those that it has go on'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "undrain" -d 'Take a `drain` back'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "weight" -d 'Give a destination another weight than the configured one, or take that back'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "health" -d 'Say whether a destination is up or down, whatever its checks say, or let them decide again'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "overrides" -d 'List what was set with `drain`, `weight` and `health`'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "doctor" -d 'Look at configuration, kernel and host together, and tell what is wrong and how to mend it; exit code 1 if it is bad'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "import" -d 'Print the live table, or what was written for another program, as a configuration'
complete -c ipvsd -n "__fish_ipvsd_needs_command" -f -a "schema" -d 'Print the JSON Schema of the configuration'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -l as -d 'Where the one file that is checked is to stand: its relative paths start there, and its name says whether it is TOML or YAML. With --config, all of that configuration is checked with the file in that place. For those who check before they put a file in its place' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -s o -l output -d 'How to print what was found' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -l host -d 'Also look at this host, as `doctor` does, for when the configuration is in force here; exit code 1 if it would not work'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -s o -l output -d 'How to print the plan' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -l detailed -d 'Also what stays as it is, and in JSON what is said of each operation and where its service is written'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand diff" -s o -l output -d 'How to print the differences' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand diff" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand diff" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand diff" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand diff" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -s o -l output -d 'How to print what was done' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l only -d 'Refuse the whole plan if it holds operations of another kind: add, edit, delete' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l dry-run -d 'Show the plan, and change nothing'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l force -d 'Delete more than daemon.max_delete allows'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -l restore-host -d 'Put sysctls and timeouts back to what they were before ipvsd set them, written or not'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -l log-format -l output -d 'How log lines are written, to standard error' -r -f -a "text\t'For people: time, level, sentence, fields'
json\t'One JSON object a line'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -l log-level -d 'The least severe level that is logged: error, warn, info, debug or trace' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -l force -d 'Delete more than daemon.max_delete allows, at every pass'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -s o -l output -d 'How to print the table; toml and yaml are those of `import`' -r -f -a "text\t'For people'
json\t'For programs'
toml\t'As configuration'
yaml\t'As configuration'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -l watch -d 'Show it again and again, until ^C: every 2 seconds, or every so many (0.5, 10, 1m)' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -l all -d 'Also what ipvsd keeps for itself: services that carry checks through IPVS'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -s n -l interval -d 'How often the kernel is looked at: seconds, or a duration; a table that takes long to read is looked at less often' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -l all -d 'Also what ipvsd keeps for itself: services that carry checks through IPVS'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand top" -s h -l help -d 'Print help'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand explain" -s o -l output -d 'How to print the explanation' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand explain" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand explain" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand explain" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -s o -l output -d 'How to print what was done' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -l timeout -d 'Wait no longer than this: 30s, 10m' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -l wait -d 'Wait until it has no connections left; ^C ends the waiting, and the override stays'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand undrain" -s o -l output -d 'How to print what was done' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand undrain" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand undrain" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand undrain" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand undrain" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand undrain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -s o -l output -d 'How to print what was done' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -l for -d 'How long: 10m, 2h; until it is taken back if this is not given' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -l reset -d 'Take the override back'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand weight" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -s o -l output -d 'How to print what was done' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -l for -d 'How long: 10m, 2h; until it is taken back if this is not given' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand overrides" -s o -l output -d 'How to print the overrides' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand overrides" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand overrides" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand overrides" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand overrides" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand overrides" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand doctor" -s o -l output -d 'How to print the findings' -r -f -a "text\t'For people'
json\t'For programs'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand doctor" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand doctor" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand doctor" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand doctor" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -l from -d 'Whose configuration FILE is; without it the live table is imported' -r -f -a "ipvsadm\t'Rules as `ipvsadm -S` writes them, or a script that runs ipvsadm'
keepalived\t'keepalived.conf'
ldirectord\t'ldirectord.cf'
ipvsctl\t'The model of ipvsctl'
gorb\t'What GORB\'s API or its store has, as JSON'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -l config-id -d 'Which lines of keepalived.conf that begin with @ are read, as keepalived\'s own option [default: the host\'s name]' -r
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -s o -l output -d 'The language of the configuration' -r -f -a "toml\t''
yaml\t''
json\t'The same, for programs; YAML readers take it'"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipvsd -n "__fish_ipvsd_using_subcommand schema" -s o -l output -d 'A schema is JSON, whatever it describes' -r -f -a "json\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand schema" -s c -l config -d 'A configuration file (TOML or YAML) or a directory of them; - is standard input [default: /etc/ipvsd/ipvsd.toml, else /etc/ipvsd/ipvsd.yaml]' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand schema" -l state-dir -d 'Where the ownership record and the overrides are kept, instead of the configuration\'s daemon.state_dir' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand schema" -l environment -d 'A file of the variables that `${NAME}` in the configuration stands for, over those of the environment: lines NAME=VALUE, as the daemon\'s unit has them in EnvironmentFile=. May be given several times' -r -F
complete -c ipvsd -n "__fish_ipvsd_using_subcommand schema" -l color -d 'When to use colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c ipvsd -n "__fish_ipvsd_using_subcommand schema" -s h -l help -d 'Print help'
