/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.h - the table of comosix's commands */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "ctl/exit_status.h"

/* "noun verb" or one word, what it does, its main function (argv[0] is the last word) */
#define COMMANDS(X)                                                                                \
	X("init", "make a cluster with this machine as its head", cmd_init)                        \
	X("join", "make this machine a node of a cluster", cmd_join)                               \
	X("status", "the cluster at a glance", cmd_status)                                         \
	X("nodes", "list the nodes", cmd_nodes)                                                    \
	X("events", "what happened in the cluster", cmd_events)                                    \
	X("token create", "make a secret that lets machines join", cmd_token_create)               \
	X("token list", "list tokens", cmd_token_list)                                             \
	X("token revoke", "take a token back", cmd_token_revoke)                                   \
	X("operator list", "list the operators' credentials", cmd_operator_list)                   \
	X("operator revoke", "take an operator's credential back", cmd_operator_revoke)            \
	X("node list", "list the nodes", cmd_nodes)                                                \
	X("node show", "all that is known of one node", cmd_node_show)                             \
	X("node approve", "let a machine in that asked without a token", cmd_node_approve)         \
	X("node refuse", "do not let it in", cmd_node_refuse)                                      \
	X("node revoke", "expel a node", cmd_node_revoke)                                          \
	X("node remove", "forget an expelled node", cmd_node_remove)                               \
	X("node renew", "get a new certificate for this node", cmd_node_renew)                     \
	X("exec", "run a command on nodes, as yourself", cmd_exec)                                 \
	X("lab up", "a cluster in namespaces on this machine", cmd_lab_up)                         \
	X("lab down", "take it away without a trace", cmd_lab_down)                                \
	X("lab status", "its nodes", cmd_lab_status)                                               \
	X("lab exec", "run a command on one of its nodes", cmd_lab_exec)                           \
	X("lab kill", "cut a node's power", cmd_lab_kill)                                          \
	X("lab start", "switch a node on again", cmd_lab_start)                                    \
	X("lab cut", "cut a node's network", cmd_lab_cut)                                          \
	X("lab heal", "join a cut network again", cmd_lab_heal)                                    \
	X("lab add", "add nodes", cmd_lab_add)                                                     \
	X("lab list", "the labs of this machine", cmd_lab_list)

struct command {
	const char *words;
	const char *summary;
	int (*run)(int argc, char **argv);
};

#define COMMAND_DECLARE(words, summary, fn) int fn(int argc, char **argv);
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
